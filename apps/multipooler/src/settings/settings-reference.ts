import { jsonText } from "../ctl/output.ts";
import { otherParameters } from "./libpq-parameters.ts";
import type { OtherParameter } from "./libpq-parameters.ts";
import type { JsonValueSchema, Setting, SettingTable } from "./setting.ts";

/** What describes all settings: a page for people, or a schema with which editors check a file. */
export const REFERENCE_FORMATS = ["markdown", "json-schema"] as const;
export type ReferenceFormat = (typeof REFERENCE_FORMATS)[number];

const INTRODUCTION = `# Settings

Each is a flag, an environment variable and a key of the configuration file (\`--config-file\`, YAML or
JSON). A flag overrides the environment, the environment the file, the file the default. Durations are
written like \`500ms\`, \`30s\` or \`1h30m\`. \`multipooler check-config\` says what is wrong with them, and
where each value comes from.
`;

const LIBPQ = `## libpq's variables and services

All that libpq reads is taken, or is refused where the pooler would run without what it asks for. What a
service (\`PGSERVICE\`) says overrides the variables here, and not those of a setting's own. \`~/.pgpass\`
is read as by libpq.
`;

/** Describes the settings of a table, and in the schema also flags that are accepted without meaning. */
export function settingsReference(
  table: SettingTable,
  accepted: readonly string[],
  format: ReferenceFormat,
): string {
  switch (format) {
    case "markdown":
      return markdown(Object.values(table));
    case "json-schema":
      return jsonText(jsonSchema(Object.values(table), accepted));
  }
}

function markdown(settings: readonly Setting<unknown>[]): string {
  const groups = Map.groupBy(settings, ({ group }) => group);
  const sections = [...groups].map(
    ([group, members]) => `## ${group}\n\n${members.map(entry).join("\n")}`,
  );
  return [INTRODUCTION, ...sections, libpqSection(settings)].join("\n");
}

/** What the program does with each parameter that libpq takes from its environment or a service. */
function libpqSection(settings: readonly Setting<unknown>[]): string {
  const ours = settings.flatMap(({ libpq, flag }) =>
    libpq === undefined ? [] : [{ ...libpq, means: `\`--${flag}\`` }],
  );
  const others = otherParameters.map((parameter) => ({
    ...parameter,
    means: meaningOf(parameter),
  }));
  const lines = [...ours, ...others].map(
    ({ variable, keyword, means }) =>
      `- ${variable === undefined ? "" : `\`${variable}\`, `}\`${keyword}\`: ${means}`,
  );
  return [LIBPQ, ...lines, ""].join("\n");
}

function meaningOf({ harmless, reason }: OtherParameter): string {
  if (harmless === undefined) {
    return `ignored; ${reason}`;
  }
  const taken = harmless.filter((value) => value !== "").map((value) => `\`${value}\``);
  return `refused${taken.length === 0 ? "" : ` unless ${taken.join(" or ")}`}; ${reason}`;
}

function entry(setting: Setting<unknown>): string {
  const { flag, placeholder, help, defaultText, env, isList } = setting;
  const facts = [
    defaultText === undefined ? "No default." : `Default: \`${defaultText}\`.`,
    `Environment: ${env.map((name) => `\`${name}\``).join(", ")}.`,
    ...(isList ? ["The flag may be given several times."] : []),
    reloadFact(setting),
  ];
  const shown = placeholder.replaceAll("|", "\\|");
  return `### \`--${flag}\` ${shown}\n\n${help.replaceAll(/[*<_]/g, "\\$&")}\n\n${facts.join(" ")}\n`;
}

function reloadFact({ restartReason, presenceReason }: Setting<unknown>): string {
  if (presenceReason !== undefined) {
    return `A reload applies another value; to set or remove it needs a restart: ${presenceReason}.`;
  }
  return restartReason === undefined
    ? "A reload applies it."
    : `Needs a restart: ${restartReason}.`;
}

/** A value as the configuration file holds it. */
function jsonValue(schema: JsonValueSchema, value: string): string | number | boolean {
  const type = "type" in schema ? schema.type : "string";
  switch (type) {
    case "string":
      return value;
    case "integer":
      return Number(value);
    case "boolean":
      return value === "true";
  }
}

function jsonSchema(settings: readonly Setting<unknown>[], accepted: readonly string[]): object {
  const properties = new Map<string, object>();
  for (const { flag, json, help, defaultText, isList } of settings) {
    const values = isList ? { type: ["string", "array"], items: json } : json;
    const value = defaultText === undefined ? undefined : jsonValue(json, defaultText);
    properties.set(flag, { description: help, ...values, default: value });
  }
  for (const flag of accepted) {
    properties.set(flag, { description: "Of Multigres' launch lines; means nothing here." });
  }
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Configuration of multipooler",
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}
