import { ReloadConfigResponse } from "@multipooler/proto/operations-v1";
import type { SettingChange } from "@multipooler/proto/operations-v1";
import { printable } from "@multipooler/text-table";
import { jsonText } from "./output.ts";
import type { ClientOptions } from "./client-options.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";

/** `ctl reload`: has a pooler read its settings again. Resolves with the exit code. */
export function reload(
  options: ClientOptions & { readonly json: boolean },
  io: CtlOutput,
): Promise<number> {
  return callPooler(options, io, async ({ client, request, output }) => {
    const response = await client.reloadConfig(request);
    await output.write(
      options.json ? jsonText(ReloadConfigResponse.toJSON(response)) : reloadText(response),
    );
  });
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
