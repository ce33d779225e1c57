import { expect, test } from "vitest";
import { settings } from "./settings.ts";
import { settingsReference } from "./settings-reference.ts";

test("the schema has each setting with the values that it takes", () => {
  const schema: unknown = JSON.parse(settingsReference(settings, ["pprof"], "json-schema"));
  expect(schema).toMatchObject({
    additionalProperties: false,
    properties: {
      "grpc-port": { type: "integer", minimum: 0, maximum: 65_535, default: 15_270 },
      "log-level": { enum: ["debug", "info", "warn", "error"], default: "info" },
      "pg-client-sslmode": { enum: expect.arrayContaining(["verify-full"]) },
      cell: { type: "string", default: "zone1" },
      pprof: {},
    },
  });
});

test("the page has each setting with its default and variables", () => {
  const page = settingsReference(settings, [], "markdown");
  for (const { flag, env } of Object.values(settings)) {
    expect(page).toContain(`### \`--${flag}\` `);
    expect(page).toContain(`\`${env[0]}\``);
  }
  expect(page).toContain("Default: `zone1`. Environment: `MULTIPOOLER_CELL`, `MT_CELL`.");
});
