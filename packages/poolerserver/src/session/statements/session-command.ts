import { isAboutChannels, readChannelCommand } from "../notifications/channel-command.ts";
import type { ChannelCommand } from "../notifications/channel-command.ts";
import { readSettings } from "../settings/setting-changes.ts";
import type { SettingChanges } from "../settings/setting-changes.ts";
import { resetsIn } from "../settings/setting-resets.ts";
import type { SettingReset } from "../settings/setting-resets.ts";
import type { PrepareText } from "./client-statement.ts";
import { nameOf, statementsOf, wordOf } from "./sql-tokens.ts";
import type { SqlToken } from "./sql-tokens.ts";

/** A name in a text, and where it stands there. */
export interface NameInText {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** A text that sets and resets settings, and may listen to channels. */
export interface SettingsCommand {
  readonly type: "settings";
  readonly changes: SettingChanges;
  readonly resets: readonly SettingReset[];
  readonly channels: readonly ChannelCommand[];
  /** Its other statements, which may do anything. */
  readonly others: readonly string[];
}

/** A text that listens to channels. */
export interface ChannelsCommand {
  readonly type: "channels";
  readonly channels: readonly ChannelCommand[];
  /** Its other statements, which may do anything. */
  readonly others: readonly string[];
}

/** A text about the session itself, which the pooler carries from backend to backend. */
export type SessionCommand =
  | SettingsCommand
  | { readonly type: "discardAll" }
  | { readonly type: "deallocateAll" }
  | ChannelsCommand
  | ({ readonly type: "deallocate" } & NameInText)
  /** `suffix`: what stands behind the name. */
  | ({ readonly type: "execute"; readonly suffix: string } & NameInText)
  | ({
      readonly type: "prepare";
      readonly body: string;
      readonly prepare: PrepareText;
    } & NameInText);

/**
 * What a text is, if it is nothing else. `undefined`: it is to be run on a backend that the session
 * keeps.
 *
 * @param text as `toSqlText` makes it
 */
export function readCommand(text: string): SessionCommand | undefined {
  const statements = statementsOf(text);
  const [tokens] = statements ?? [];
  if (statements === undefined || tokens === undefined) {
    return undefined;
  }
  const command = statements.length === 1 ? commandOf(text, tokens) : undefined;
  if (command !== undefined) {
    return command;
  }
  const others = statements.filter((statement) => !isAboutChannels(statement));
  const channels = statements.filter(isAboutChannels).map(readChannelCommand);
  if (!channels.every((channel) => channel !== undefined)) {
    return undefined;
  }
  const settings = readSettings(others);
  if (settings !== undefined) {
    const { changes, others: rest } = settings;
    const resets = resetsIn(statements);
    return { type: "settings", changes, resets, channels, others: textsOf(text, rest) };
  }
  return channels.length > 0
    ? { type: "channels", channels, others: textsOf(text, others) }
    : undefined;
}

/** What each statement of a text is, taken by itself. */
export function commandsIn(text: string): (SessionCommand | undefined)[] {
  return (statementsOf(text) ?? []).map((tokens) => commandOf(text, tokens));
}

function textsOf(text: string, statements: readonly (readonly SqlToken[])[]): string[] {
  return statements.map((statement) =>
    decode(text.slice(statement[0]?.start, statement.at(-1)?.end)),
  );
}

function commandOf(text: string, tokens: readonly SqlToken[]): SessionCommand | undefined {
  const second = wordOf(tokens[1]);
  switch (wordOf(tokens[0])) {
    case "discard":
      return second === "all" && tokens.length === 2 ? { type: "discardAll" } : undefined;
    case "deallocate":
      return deallocation(tokens.slice(second === "prepare" && tokens.length > 2 ? 2 : 1));
    case "execute":
      return execution(text, tokens);
    case "prepare":
      return preparation(text, tokens);
    case "listen":
    case "unlisten": {
      const command = readChannelCommand(tokens);
      return command === undefined
        ? undefined
        : { type: "channels", channels: [command], others: [] };
    }
    default:
      return undefined;
  }
}

function deallocation([token, ...rest]: readonly SqlToken[]): SessionCommand | undefined {
  const name = nameAt(token);
  if (name === undefined || rest.length > 0) {
    return undefined;
  }
  return wordOf(token) === "all" ? { type: "deallocateAll" } : { type: "deallocate", ...name };
}

function execution(text: string, tokens: readonly SqlToken[]): SessionCommand | undefined {
  const name = nameAt(tokens[1]);
  const hasRest = tokens.length > 2;
  if (name === undefined || (hasRest && tokens[2]?.value !== "(")) {
    return undefined;
  }
  const suffix = hasRest ? text.slice(tokens[2]?.start, tokens.at(-1)?.end) : "";
  return { type: "execute", ...name, suffix: decode(suffix) };
}

function preparation(text: string, tokens: readonly SqlToken[]): SessionCommand | undefined {
  const name = nameAt(tokens[1]);
  if (name === undefined || wordOf(tokens[1]) === "transaction") {
    return undefined;
  }
  const index = tokens.findIndex((token, at) => at > 1 && wordOf(token) === "as");
  const isBehindTypes = index === 2 || tokens[index - 1]?.value === ")";
  const body = tokens[index + 1];
  const last = tokens.at(-1);
  if (index === -1 || !isBehindTypes || body === undefined || last === undefined) {
    return undefined;
  }
  return {
    type: "prepare",
    ...name,
    body: decode(text.slice(body.start, last.end)),
    prepare: {
      head: decode(text.slice(tokens[0]?.start ?? 0, name.start)),
      tail: decode(text.slice(name.end, last.end)),
    },
  };
}

function nameAt(token: SqlToken | undefined): NameInText | undefined {
  const name = nameOf(token);
  return token === undefined || name === undefined
    ? undefined
    : { name, start: token.start, end: token.end };
}

/** From one character a byte. */
function decode(text: string): string {
  return Buffer.from(text, "latin1").toString();
}
