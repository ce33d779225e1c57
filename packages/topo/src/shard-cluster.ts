import { fields, integer, text } from "./json-fields.ts";

/** The cluster of servers whose data a shard is, as far as its primaries have brought it. */
export interface ShardCluster {
  /** As `pg_controldata` tells it. */
  readonly systemIdentifier: bigint;
  readonly timeline: number;
  /** The timelines before that one, oldest first; `undefined` where they are not known. */
  readonly history: readonly TimelineEnd[] | undefined;
}

/** A timeline that another one followed. */
export interface TimelineEnd {
  readonly timeline: number;
  /** The position in the WAL at which the next timeline began. */
  readonly end: bigint;
}

/** What JSON holds of a cluster. */
export function clusterFields({ systemIdentifier, timeline, history }: ShardCluster): object {
  return {
    systemIdentifier: systemIdentifier.toString(),
    timeline,
    ...(history === undefined
      ? {}
      : { history: history.map((ended) => ({ ...ended, end: lsnText(ended.end) })) }),
  };
}

/** Throws for a value that is no cluster. */
export function readCluster(value: unknown): ShardCluster {
  const { systemIdentifier, timeline, history } = fields(value);
  return {
    systemIdentifier: BigInt(text(systemIdentifier)),
    timeline: integer(timeline),
    history: history === undefined ? undefined : list(history).map(readEnd),
  };
}

/** As PostgreSQL writes it, e.g. "0/3000060". */
export function lsnText(lsn: bigint): string {
  const [high, low] = [lsn >> 32n, lsn & 0xff_ff_ff_ffn];
  return `${high.toString(16)}/${low.toString(16)}`.toUpperCase();
}

/** A position in the WAL from that text. Throws a SyntaxError for another one. */
export function parseLsn(lsn: string): bigint {
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(lsn) ?? [];
  if (high === undefined || low === undefined) {
    throw new SyntaxError("no position in the WAL");
  }
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

function readEnd(value: unknown): TimelineEnd {
  const { timeline, end } = fields(value);
  return { timeline: integer(timeline), end: parseLsn(text(end)) };
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new TypeError("not a list");
  }
  return value;
}
