import type { ChannelChange } from "@multipooler/query-service";
import { nameOf, wordOf } from "../statements/sql-tokens.ts";
import type { SqlToken } from "../statements/sql-tokens.ts";

/** LISTEN, UNLISTEN of a channel, or UNLISTEN of all. */
export type ChannelCommand =
  | { readonly type: "listen"; readonly channel: string }
  | { readonly type: "unlisten"; readonly channel: string }
  | { readonly type: "unlistenAll" };

/** Whether a statement changes the channels of its session, as its first word says. */
export function isAboutChannels(tokens: readonly SqlToken[]): boolean {
  const first = wordOf(tokens[0]);
  return first === "listen" || first === "unlisten";
}

/** `undefined` for what is none, or names a channel in a way that is not understood. */
export function readChannelCommand(tokens: readonly SqlToken[]): ChannelCommand | undefined {
  const [, token] = tokens;
  if (!isAboutChannels(tokens) || token === undefined || tokens.length !== 2) {
    return undefined;
  }
  const isListen = wordOf(tokens[0]) === "listen";
  const isAll = token.kind !== "identifier" && token.value === "*";
  const channel = channelOf(token);
  if (!isListen && isAll) {
    return { type: "unlistenAll" };
  }
  return channel === undefined ? undefined : { type: isListen ? "listen" : "unlisten", channel };
}

/** What commands that take effect together come to. */
export function changeOf(commands: readonly ChannelCommand[]): ChannelChange {
  let unsubscribeAll = false;
  const unsubscribe = new Set<string>();
  const subscribe = new Set<string>();
  for (const command of commands) {
    switch (command.type) {
      case "listen":
        subscribe.add(command.channel);
        unsubscribe.delete(command.channel);
        break;
      case "unlisten":
        subscribe.delete(command.channel);
        unsubscribe.add(command.channel);
        break;
      case "unlistenAll":
        unsubscribeAll = true;
        subscribe.clear();
        unsubscribe.clear();
    }
  }
  return { unsubscribeAll, unsubscribe: [...unsubscribe], subscribe: [...subscribe] };
}

/** A token has one character a byte. */
function channelOf(token: SqlToken): string | undefined {
  const name = nameOf(token);
  if (name === undefined) {
    return undefined;
  }
  const text = Buffer.from(name, "latin1").toString();
  return text.includes("\uFFFD") ? undefined : text;
}
