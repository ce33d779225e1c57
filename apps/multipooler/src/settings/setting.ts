import { isIP } from "node:net";
import * as z from "zod";
import type { LibpqParameter } from "./libpq-parameters.ts";

/** One setting: its sources, its validation and its help. */
export interface Setting<T> {
  /** Without leading dashes; also the key in the configuration file. */
  readonly flag: string;
  /** Environment variables; the first that is set counts. `MULTIPOOLER_<FLAG>` always comes first. */
  readonly env: readonly string[];
  /** What libpq calls it; the variable is the last of `env`. */
  readonly libpq: LibpqParameter | undefined;
  /** Stands for the value in the help, e.g. "duration" or "port". */
  readonly placeholder: string;
  /** Parses the text that every source gives. */
  readonly schema: z.ZodType<T, string>;
  /** What the configuration file may hold. */
  readonly json: JsonValueSchema;
  /** As a user would write it; `undefined` leaves the setting unset. */
  readonly defaultText: string | undefined;
  readonly group: string;
  readonly help: string;
  /** The value of the flag where it is given without one; `undefined`: it needs one. */
  readonly bareText: string | undefined;
  /** Whether further values of the flag are added to the first, with commas between. */
  readonly isList: boolean;
  /** Kept out of errors and logs. */
  readonly secret: boolean;
  /** Why a new value needs a restart, one clause; `undefined`: a reload applies it. */
  readonly restartReason: string | undefined;
  /**
   * Why it needs a restart to set what was unset, or the other way round; `undefined`: a reload applies
   * that as any other value.
   */
  readonly presenceReason: string | undefined;
}

/** Settings by their name in code. */
export type SettingTable = Readonly<Record<string, Setting<unknown>>>;

/** The validated value of every setting of a table. */
export type SettingValues<T extends SettingTable> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never;
};

interface Definition {
  readonly default?: string;
  readonly env?: readonly string[];
  readonly libpq?: LibpqParameter;
  readonly help: string;
  readonly secret?: boolean;
  /**
   * True for what a reload applies. A text says why a restart is needed, in place of the group's. A reload
   * applies what is `ifSet` if it was set before and is still.
   */
  readonly reload?: true | string | { readonly ifSet: string };
}

/** Values in the configuration file, in the words of JSON schema. */
export type JsonValueSchema =
  | { readonly type: "string" }
  | { readonly type: "integer"; readonly minimum: number; readonly maximum: number }
  | { readonly type: "boolean" }
  | { readonly enum: readonly string[] };

/** A type of value: its validation and its placeholder in the help. */
export interface Kind<T> {
  readonly placeholder: string;
  readonly schema: z.ZodType<T, string>;
  /** Default: a text. */
  readonly json?: JsonValueSchema;
  /** The value of a flag without one. Default: it needs one. */
  readonly bareText?: string;
  /** Values separated by commas, so that the flag may also be given several times. */
  readonly isList?: boolean;
}

/** Of settings that say where a file of TLS is: a reload applies another path. */
export const FILE_RELOAD = {
  ifSet: "what is asked of clients and servers is set up at the start",
} as const;
/** The reason of what else belongs to TLS. */
export const TLS_SET_UP = "TLS is set up at the start";
const READ_AT_START = "it is read only at the start";

/**
 * Creates the settings of one group of the help; an optional one may stay unset. A new value needs a
 * restart for the reason of the group, unless the setting says otherwise.
 */
export function settingGroup(
  group: string,
  restartReason: string = READ_AT_START,
): {
  required<T>(
    flag: string,
    kind: Kind<T>,
    definition: Definition & { default: string },
  ): Setting<T>;
  optional<T>(flag: string, kind: Kind<T>, definition: Definition): Setting<T | undefined>;
} {
  const make = <T>(flag: string, kind: Kind<T>, definition: Definition): Setting<T> => ({
    flag,
    env: [
      `MULTIPOOLER_${flag.replaceAll("-", "_").toUpperCase()}`,
      ...(definition.env ?? []),
      ...(definition.libpq === undefined ? [] : [definition.libpq.variable]),
    ],
    libpq: definition.libpq,
    placeholder: kind.placeholder,
    schema: kind.schema,
    json: kind.json ?? { type: "string" },
    defaultText: definition.default,
    group,
    help: definition.help,
    bareText: kind.bareText,
    isList: kind.isList ?? false,
    secret: definition.secret ?? false,
    ...reloadOf(definition.reload ?? restartReason),
  });
  return {
    required: make,
    optional: (flag, kind, definition) => make(flag, kind, definition),
  };
}

function reloadOf(
  reload: NonNullable<Definition["reload"]>,
): Pick<Setting<unknown>, "restartReason" | "presenceReason"> {
  if (typeof reload === "object") {
    return { restartReason: undefined, presenceReason: reload.ifSet };
  }
  return { restartReason: reload === true ? undefined : reload, presenceReason: undefined };
}

const MAX_TIMER_MS = 2_147_483_647;
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

function isUnit(text: string): text is keyof typeof UNIT_MS {
  return Object.hasOwn(UNIT_MS, text);
}

/** Converts "1h30m", "250ms", "1.5s" or "0" to milliseconds; NaN for anything else. */
function durationMs(text: string): number {
  if (text === "0") {
    return 0;
  }
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) {
    return Number.NaN;
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    if (unit === undefined || !isUnit(unit)) {
      return Number.NaN;
    }
    total += Number(amount) * UNIT_MS[unit];
  }
  return Math.round(total);
}

/** A duration such as 500ms, 30s, 5m or 1h30m, in milliseconds. */
export function duration(limits: { min: number; max?: number }): Kind<number> {
  const max = limits.max ?? MAX_TIMER_MS;
  return {
    placeholder: "duration",
    schema: z
      .string()
      .transform(durationMs)
      .refine((ms) => ms >= limits.min && ms <= max, {
        error: `is not a duration from ${limits.min}ms to ${max}ms such as 500ms, 30s or 1h30m`,
      }),
  };
}

/** A whole number within limits, both included. */
export function integer(
  limits: { min: number; max: number },
  placeholder = "number",
): Kind<number> {
  return {
    placeholder,
    json: { type: "integer", minimum: limits.min, maximum: limits.max },
    schema: z
      .string()
      .transform((text) => (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN))
      .refine((value) => value >= limits.min && value <= limits.max, {
        error: `is not a whole number from ${limits.min} to ${limits.max}`,
      }),
  };
}

/** A part of something, 0 to 1. */
export const ratio: Kind<number> = {
  placeholder: "number",
  schema: z
    .string()
    .transform((text) =>
      /^(?:\d{1,3}(?:\.\d{1,9})?|\.\d{1,9})$/.test(text) ? Number(text) : Number.NaN,
    )
    .refine((value) => value >= 0 && value <= 1, { error: "is not a number from 0 to 1" }),
};

/** A port to connect to. */
export const port: Kind<number> = integer({ min: 1, max: 65_535 }, "port");

/** A port to listen on; 0 picks a free one. */
export const listenPort: Kind<number> = integer({ min: 0, max: 65_535 }, "port");

/** Any non-empty text of at most 255 characters. */
export const text: Kind<string> = {
  placeholder: "text",
  schema: z
    .string()
    .refine((value) => value.length > 0 && value.length <= 255 && !value.includes("\0"), {
      error: "must have from 1 to 255 characters",
    }),
};

/** Names that are separated by commas; spaces around them do not count. */
export const names: Kind<readonly string[]> = {
  placeholder: "list",
  isList: true,
  schema: z
    .string()
    .transform((list) => list.split(",").map((name) => name.trim()))
    .refine((list) => list.every((name) => name.length > 0 && !name.includes("\0")), {
      error: "must be names, separated by commas",
    }),
};

/** The name or address of one host, or the directory of a Unix socket. */
export const host: Kind<string> = {
  placeholder: "host",
  schema: text.schema.refine((value) => !value.includes(","), {
    error: "names several hosts, and the pooler stands in front of one",
  }),
};

/** A host name or address of this machine, to listen on or to be reached at. */
export const ownAddress: Kind<string> = {
  placeholder: "address",
  schema: z
    .string()
    .regex(/^[^\p{White_Space}\p{Cc},/]{1,255}$/u, { error: "is no address and no host name" })
    .regex(/^[^[\]]*$/, { error: "must be an IPv6 address without brackets" }),
};

/** An IP address. */
export const ipAddress: Kind<string> = {
  placeholder: "address",
  schema: z.string().refine((value) => isIP(value) !== 0, { error: "is not an IP address" }),
};

/** Text without further rules, such as a password. */
export const secretText: Kind<string> = {
  placeholder: "text",
  schema: z.string().refine((value) => value.length > 0 && !value.includes("\0"), {
    error: "must not be empty or hold a NUL character",
  }),
};

/** A cell or service id. They are joined with "_" and "-" into names that PostgreSQL sees. */
export const identifier: Kind<string> = {
  placeholder: "name",
  schema: z.string().refine((value) => /^[A-Za-z0-9][A-Za-z0-9-]{0,29}$/.test(value), {
    error: "must have from 1 to 30 letters, digits and dashes, and start with a letter or digit",
  }),
};

/** A path in the file system. */
export const path: Kind<string> = {
  placeholder: "path",
  schema: z.string().refine((value) => value.length > 0 && !value.includes("\0"), {
    error: "must be a path",
  }),
};

/** Takes the empty text for a setting that is not there. */
export function unsetIfEmpty<T>({ placeholder, schema, json }: Kind<T>): Kind<T | undefined> {
  return {
    placeholder,
    ...(json === undefined ? {} : { json }),
    schema: z.string().transform((given, context) => {
      if (given === "") {
        return undefined;
      }
      const parsed = schema.safeParse(given);
      if (parsed.success) {
        return parsed.data;
      }
      context.addIssue(parsed.error.issues[0]?.message ?? "is not valid");
      return z.NEVER;
    }),
  };
}

/** A prefix of topology keys. */
export const keyRoot: Kind<string> = {
  placeholder: "key",
  schema: z.string().refine((value) => /^\/?[^/\p{Cc}]+(?:\/[^/\p{Cc}]+)*$/u.test(value), {
    error: "must be a key such as /multigres/global, without an empty part or a slash at its end",
  }),
};

/** On or off, as a flag of Go's is given: without a value it is on. */
export const toggle: Kind<boolean> = {
  placeholder: "true|false",
  bareText: "true",
  json: { type: "boolean" },
  schema: z
    .string()
    .refine((value) => value === "true" || value === "false", { error: "is not true or false" })
    .transform((value) => value === "true"),
};

/** One of some words. */
export function choice<const T extends string>(words: readonly T[]): Kind<T> {
  return {
    placeholder: words.join("|"),
    json: { enum: words },
    schema: z.string().transform((value, context) => {
      const word = words.find((candidate) => candidate === value);
      if (word !== undefined) {
        return word;
      }
      context.addIssue(`is none of ${words.join(", ")}`);
      return z.NEVER;
    }),
  };
}
