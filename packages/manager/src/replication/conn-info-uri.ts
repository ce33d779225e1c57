import { ConnInfoSyntaxError } from "./conn-info.ts";
import type { ConnInfo } from "./conn-info.ts";

/** `postgresql://user:password@host:port,host:port/dbname?keyword=value`, all parts optional. */
const URI = /^[a-z]+:\/\/(?:([^@/?#]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s;
/** One of the hosts: an IPv6 address in brackets, or anything else without a colon. */
const HOST = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::([0-9]*))?$/;

/** Reads a URI as libpq does. Several hosts, and their ports, become one value with commas. */
export function parseConnInfoUri(text: string): ConnInfo {
  const [, login, hosts, database, query] = URI.exec(text) ?? [];
  const info = new Map<string, string>();
  const set = (keyword: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") {
      info.set(keyword, decode(keyword, value));
    }
  };
  const [, user, password] = /^([^:]*)(?::(.*))?$/s.exec(login ?? "") ?? [];
  set("user", user);
  set("password", password);
  const found = (hosts ?? "").split(",").map(hostOf);
  set("host", join(found.map(({ host }) => host)));
  set("port", join(found.map(({ port }) => port)));
  set("dbname", database);
  for (const parameter of query === undefined || query === "" ? [] : query.split("&")) {
    const [, keyword, value] = /^([^=]+)=([^=]*)$/s.exec(parameter) ?? [];
    if (keyword === undefined || value === undefined) {
      throw new ConnInfoSyntaxError('a parameter of the URI is not of the form "keyword=value"');
    }
    setParameter(info, decode("a keyword", keyword), decode(keyword, value));
  }
  return info;
}

/** JDBC's name for it is one that libpq knows too. */
function setParameter(info: Map<string, string>, keyword: string, value: string): void {
  if (keyword === "ssl" && value === "true") {
    info.set("sslmode", "require");
  } else {
    info.set(keyword, value);
  }
}

function hostOf(text: string): { readonly host: string; readonly port: string } {
  const [whole, address, name, port = ""] = HOST.exec(text) ?? [];
  if (whole === undefined) {
    throw new ConnInfoSyntaxError("the URI has a malformed host");
  }
  return { host: address ?? name ?? "", port };
}

/** Nothing but commas says nothing. */
function join(parts: readonly string[]): string {
  return parts.every((part) => part === "") ? "" : parts.join(",");
}

function decode(what: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConnInfoSyntaxError(`the URI has a malformed escape in ${what}`);
  }
}
