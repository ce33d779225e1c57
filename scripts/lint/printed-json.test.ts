import { RuleTester } from "oxlint/plugins-dev";
import { describe, test } from "vitest";

import { printedJson } from "./printed-json.ts";

RuleTester.describe = describe;
RuleTester.it = test;

const tester = new RuleTester({ languageOptions: { parserOptions: { lang: "ts" } } });

tester.run("printed-json", printedJson, {
  valid: [
    "await output.write(jsonText(shown));",
    "print(printableJson(JSON.stringify(found)));",
    "const line = `${printableJson(JSON.stringify(line))}\\n`;",
    "throw new ConfigError([`${JSON.stringify(text)} is no address`]);",
    "subscriber.send('status', JSON.stringify(report));",
    "const copy = JSON.parse(JSON.stringify(report));",
  ],
  invalid: [
    "const line = `${JSON.stringify(line)}\\n`;",
    "yield_(`${JSON.stringify(a, undefined, 2)}\\n`);",
    "await output.write(`${json ? JSON.stringify(shown) : text}\\n`);",
    "await output.write(json ? JSON.stringify(shown) : text);",
    "process.stdout.write(JSON.stringify(shown));",
    "console.log(JSON.stringify(shown));",
    "print(JSON.stringify(found));",
  ].map((code) => ({ code, errors: 1 })),
});
