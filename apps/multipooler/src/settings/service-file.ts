import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileFault } from "../file-fault.ts";
import { noticesOf, otherParameters, problemsOf } from "./libpq-parameters.ts";
import { suggestion } from "./nearest-name.ts";

/** A service of libpq's connection service file: parameters under one name. */
export interface LibpqService {
  /** For people, e.g. `service "db" in /etc/pg_service.conf`. */
  readonly place: string;
  /** By libpq's keyword. */
  readonly values: Readonly<Record<string, string>>;
  /** Why it cannot be used, a line each. */
  readonly problems: readonly string[];
  /** A line for each parameter that means nothing here. */
  readonly ignored: readonly string[];
}

export interface ServicePlace {
  readonly name: string;
  /** `undefined`: those that libpq looks into. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The keywords that settings stand for. */
  readonly known: ReadonlySet<string>;
}

/** Finds a service in the file that is named, else in the user's and the system's, as libpq does. */
export function readService({ name, file, env, known }: ServicePlace): LibpqService {
  const own = file ?? join(homedir(), ".pg_service.conf");
  const system = env["PGSYSCONFDIR"];
  const files = [
    ...(file !== undefined || existsSync(own) ? [own] : []),
    ...(system === undefined ? [] : [join(system, "pg_service.conf")]),
  ];
  for (const path of files) {
    let content: string;
    try {
      content = readFileSync(path, "utf8");
    } catch (error) {
      return failed(name, `--pg-service-file: ${path}: ${fileFault(error)}`);
    }
    const lines = sectionOf(content, name);
    if (lines !== undefined) {
      return parse(lines, { place: `service ${JSON.stringify(name)} in ${path}`, known });
    }
  }
  const looked = files.length === 0 ? "there is no service file" : `not in ${files.join(", ")}`;
  return failed(name, `--pg-service: ${JSON.stringify(name)} is not defined: ${looked}`);
}

function failed(name: string, problem: string): LibpqService {
  return { place: `service ${JSON.stringify(name)}`, values: {}, problems: [problem], ignored: [] };
}

/** The lines of one section, the first of that name; `undefined`: there is none. */
function sectionOf(content: string, name: string): readonly string[] | undefined {
  const lines = content.split(/\r?\n/).map((line) => line.trim());
  const begin = lines.indexOf(`[${name}]`);
  if (begin === -1) {
    return undefined;
  }
  const rest = lines.slice(begin + 1);
  const end = rest.findIndex((line) => line.startsWith("["));
  return (end === -1 ? rest : rest.slice(0, end)).filter(
    (line) => line !== "" && !line.startsWith("#"),
  );
}

function parse(
  lines: readonly string[],
  { place, known }: { readonly place: string; readonly known: ReadonlySet<string> },
): LibpqService {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  const ignored: string[] = [];
  for (const line of lines) {
    const at = line.indexOf("=");
    const keyword = line.slice(0, Math.max(0, at));
    const value = line.slice(at + 1);
    const other = otherParameters.find((parameter) => parameter.keyword === keyword);
    if (other !== undefined) {
      problems.push(...problemsOf(`${keyword} of ${place}`, value, other));
      ignored.push(...noticesOf(`${keyword} of ${place}`, value, other));
    } else if (known.has(keyword)) {
      // As in libpq, the first of several counts.
      values[keyword] ??= value;
    } else {
      problems.push(`${place}: ${unknown(line, keyword, known)}`);
    }
  }
  return { place, values, problems, ignored };
}

/** Not the value: a line that is none may hold a password. */
function unknown(line: string, keyword: string, known: ReadonlySet<string>): string {
  if (line.startsWith("ldap")) {
    return "LDAP is not asked";
  }
  return keyword === ""
    ? 'a line is not "keyword=value"'
    : `there is no parameter ${JSON.stringify(keyword)}${suggestion(keyword, known)}`;
}
