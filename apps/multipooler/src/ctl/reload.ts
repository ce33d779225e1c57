import { ReloadConfigResponse } from "@multipooler/proto/operations-v1";
import type { SettingChange } from "@multipooler/proto/operations-v1";
import { printable } from "@multipooler/text-table";
import { writeSteps } from "./explanation.ts";
import type { ExplainOptions, Step } from "./explanation.ts";
import { jsonText } from "./output.ts";
import type { ClientOptions } from "./client-options.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";

/** `ctl reload`: has a pooler read its settings again. Resolves with the exit code. */
export function reload(options: ClientOptions & ExplainOptions, io: CtlOutput): Promise<number> {
  return callPooler(options, io, async ({ client, request, output }) => {
    const { explain } = options;
    const response = await client.reloadConfig({ explain }, request);
    if (explain) {
      await writeSteps(output, options, reloadSteps(response));
      return;
    }
    await output.write(
      options.json ? jsonText(ReloadConfigResponse.toJSON(response)) : reloadText(response),
    );
  });
}

/** What a reload would do: a step for each setting that changes, or that a restart changes. */
function reloadSteps({ changed, pending }: ReloadConfigResponse): readonly Step[] {
  return [
    ...changed.map((change) => ({
      name: "apply",
      explanation: changeText(change),
      needed: true,
    })),
    ...pending.map(({ change, reason }) => ({
      name: "keep until a restart",
      explanation: `${change === undefined ? "" : `${changeText(change)}: `}${reason}`,
      needed: true,
    })),
  ];
}

/** A line for each setting that has changed, and for each that needs a restart. */
export function reloadText({ changed, pending }: ReloadConfigResponse): string {
  const lines = [
    ...changed.map((change) => changeText(change)),
    ...pending.map(
      ({ change, reason }) =>
        `${change === undefined ? "" : changeText(change)} needs a restart: ${reason}`,
    ),
  ];
  return lines.length === 0 ? "no setting has another value\n" : `${lines.join("\n")}\n`;
}

function changeText({ name, before, after, source }: SettingChange): string {
  const by = source === "" ? "default" : source;
  return `${name}: ${valueText(before)} -> ${valueText(after)} (${printable(by)})`;
}

function valueText(value: string | undefined): string {
  return value === undefined ? "unset" : printable(value);
}
