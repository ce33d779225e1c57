import { kindOf } from "./failure.ts";

/** When something happened: with PostgreSQL there, while it answered too late, or was restarted. */
export type Weather = "calm" | "stall" | "outage";

interface Expectation {
  readonly kind: RegExp;
  readonly weather: readonly Weather[];
  readonly why: string;
}

const ALWAYS: readonly Weather[] = ["calm", "stall", "outage"];
const OUTAGE: readonly Weather[] = ["stall", "outage"];

/** What clients may get, and why. Everything else is a fault. */
const EXPECTED: readonly Expectation[] = [
  { kind: /^57P0[123] /, weather: OUTAGE, why: "PostgreSQL ends sessions and refuses new ones" },
  { kind: /^MTF01 /, weather: OUTAGE, why: "the pooler refuses by its status" },
  { kind: /^(?:08\w{3}|58\w{3}) /, weather: OUTAGE, why: "a connection to PostgreSQL was lost" },
  { kind: /^(?:53300|57014) /, weather: OUTAGE, why: "nobody serves those who wait" },
  { kind: /^40001 /, weather: OUTAGE, why: "a reservation has gone with its connection" },
  { kind: /^25006 /, weather: OUTAGE, why: "PostgreSQL is not known to accept writes yet" },
  {
    kind: /^[A-Z]+ (?:57P0[123]|08\w{3}|40001|MTF01)/,
    weather: OUTAGE,
    why: "the same over gRPC; MTF01 asks the gateway to wait",
  },
  {
    kind: /^(?:Connection terminated|Client has encountered a connection error)/,
    weather: OUTAGE,
    why: "a client whose session broke is disconnected",
  },
  { kind: /^heard # notifications/, weather: OUTAGE, why: "nobody hears while PostgreSQL is away" },
  { kind: /^read ECONNRESET/, weather: OUTAGE, why: "the same, while it was writing" },
  { kind: /^28P01 /, weather: ALWAYS, why: "a stranger has a wrong password" },
  { kind: /^28000 /, weather: ALWAYS, why: "a stranger has had too many" },
];

/** How often what went wrong. */
export interface ErrorCount {
  readonly kind: string;
  readonly weather: Weather;
  readonly count: number;
  /** Why this may be; `undefined` for a fault. */
  readonly why: string | undefined;
  /** The client that had it first. */
  readonly client: string;
}

/** Counts what clients could not do, by kind. */
export class ErrorCounts {
  readonly #counts = new Map<string, ErrorCount>();

  note(error: unknown, { client, weather }: { client: string; weather: Weather }): void {
    const kind = kindOf(error);
    const key = `${weather} ${kind}`;
    const known = this.#counts.get(key);
    this.#counts.set(key, {
      kind,
      weather,
      count: (known?.count ?? 0) + 1,
      why: expectationOf(kind, weather),
      client: known?.client ?? client,
    });
  }

  /** All of them, the faults first. */
  list(): readonly ErrorCount[] {
    const rank = ({ why }: ErrorCount): number => (why === undefined ? 0 : 1);
    return [...this.#counts.values()].toSorted(
      (one, other) => rank(one) - rank(other) || other.count - one.count,
    );
  }
}

function expectationOf(kind: string, weather: Weather): string | undefined {
  return EXPECTED.find((one) => one.weather.includes(weather) && one.kind.test(kind))?.why;
}
