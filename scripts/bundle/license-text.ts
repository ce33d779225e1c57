import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { BundledPackage } from "./packages.ts";

const LICENSE_FILE = /^(?:licen[cs]e|copying|notice)(?:[-.]\w+)*$/i;
/** The text of Apache-2.0 is the same for all; ours is in the root of this repository. */
const APACHE = join(import.meta.dirname, "../../LICENSE");
/** A sentence of each text that permits something under a condition. */
const GRANT = /Permission is hereby granted|Redistribution and use|Permission to use, copy/;

/**
 * What the license of a package asks to be kept with its code: its license files and notices. Where it has
 * none, the section of its README, or what is said at the beginning of its modules.
 *
 * @throws Error for a package that has its text nowhere
 */
export function licenseText(subject: BundledPackage): string {
  const { folder, name, version } = subject;
  const files = readdirSync(folder);
  const own = files.filter((file) => LICENSE_FILE.test(file)).toSorted();
  const texts = own.map((file) => readFileSync(join(folder, file), "utf8").trim());
  // A notice alone is no license.
  if (own.some((file) => !/^notice/i.test(file))) {
    return texts.join("\n\n");
  }
  const readme = files.find((file) => /^readme(?:\.\w+)?$/i.test(file));
  const section = readme === undefined ? undefined : licenseSection(join(folder, readme));
  const found = section ?? textInModules(subject);
  if (found === undefined) {
    throw new Error(
      `${name} ${version}: the text of its license is neither in its folder nor in its modules`,
    );
  }
  return [found, ...texts].join("\n\n");
}

function licenseSection(readme: string): string | undefined {
  const [, section = ""] = readFileSync(readme, "utf8").split(/^#+ *licen[cs]e\b.*$/im, 2);
  const text = section.split(/^#/m, 1).join("").trim();
  return GRANT.test(text) && /copyright/i.test(text) ? text : undefined;
}

function textInModules({ license, modules }: BundledPackage): string | undefined {
  const heads = [...new Set(modules.map(headComment))].filter((head) => /copyright/i.test(head));
  const apache = license.includes("Apache-2.0") ? [readFileSync(APACHE, "utf8").trim()] : [];
  const others = license
    .split(/ AND /)
    .filter((id) => id !== "Apache-2.0")
    .every(() => heads.some((head) => GRANT.test(head)));
  return others && heads.length > 0 ? [...heads, ...apache].join("\n\n") : undefined;
}

/** The lines of comment that a module begins with, without their slashes. */
function headComment(module: string): string {
  const lines = readFileSync(module, "utf8").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines
    .slice(0, end === -1 ? lines.length : end)
    .map((line) => line.replace(/^\/\/ ?/, ""))
    .join("\n")
    .trim();
}
