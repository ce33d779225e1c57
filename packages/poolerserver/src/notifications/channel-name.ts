import { PoolerErrorCode } from "@multipooler/query-service";
import type { ChannelChange } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";

/** PostgreSQL cuts off longer names (NAMEDATALEN). */
const MAX_NAME_BYTES = 63;
/** The server counts the bytes of these encodings as this program does. */
const BYTEWISE_ENCODINGS = new Set(["UTF8", "SQL_ASCII"]);

/**
 * The change with the names that PostgreSQL will use for the channels.
 *
 * @param encoding the `server_encoding`, as far as it is known
 * @throws INVALID_ARGUMENT for a name that cannot be one
 */
export function namedChannels(change: ChannelChange, encoding: string | undefined): ChannelChange {
  const named = (name: string): string => channelName(name, encoding);
  return {
    unsubscribeAll: change.unsubscribeAll,
    unsubscribe: change.unsubscribe.map(named),
    subscribe: change.subscribe.map(named),
  };
}

function channelName(name: string, encoding = "UTF8"): string {
  if (name === "") {
    throw invalid("a channel without a name");
  }
  if (name.includes("\0")) {
    throw invalid(`the channel ${JSON.stringify(name)} has a NUL character in its name`);
  }
  const cut = cutName(name);
  if (cut !== name && !BYTEWISE_ENCODINGS.has(encoding)) {
    throw invalid(
      `the name of channel ${JSON.stringify(name)} is longer than ${MAX_NAME_BYTES} bytes, ` +
        `and where it is cut off in a database in ${encoding} is not known`,
    );
  }
  return cut;
}

/** What a server of UTF-8 makes of a name. */
export function cutName(name: string): string {
  const bytes = Buffer.from(name);
  return bytes.length <= MAX_NAME_BYTES
    ? name
    : bytes.toString("utf8", 0, characterStart(bytes, MAX_NAME_BYTES));
}

/** Where the character begins that has the byte at `offset`. */
function characterStart(bytes: Buffer, offset: number): number {
  let start = offset;
  while (start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) {
    start -= 1;
  }
  return start;
}

function invalid(message: string): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, message);
}
