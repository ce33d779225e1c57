import { isIPv6 } from "node:net";
import type { Clock } from "@multipooler/timing";
import { Refusal } from "../login/refusal.ts";

/** So many are remembered; the oldest are forgotten first. */
const MAX_ENTRIES = 10_000;
/** An address may be many clients, e.g. of a cluster, so that it has several times what one user has. */
const ADDRESS_FACTOR = 10;
/** Longer names are no roles. */
const MAX_NAME_LENGTH = 63;
/** How much of an IPv6 address belongs to one network. */
const NETWORK_GROUPS = 4;

/** Read when they are needed. */
export interface LoginFailuresOptions {
  /** Wrong passwords of one user from one address within the window; 0: without a limit. */
  readonly loginFailureLimit: number;
  readonly loginFailureWindowMs: number;
  readonly clock: Clock;
}

/** Who tries to log in, and from where. */
export interface LoginAttempt {
  readonly address: string;
  readonly user: string;
}

interface Entry {
  readonly since: number;
  count: number;
}

/**
 * Counts wrong passwords by where they come from. Who has given too many is refused without a try, for
 * the rest of the window. Neighbours at the address get in meanwhile, unless it has had ten times as
 * many for all users together. Memory is bounded.
 */
export class LoginFailures {
  readonly #options: LoginFailuresOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: LoginFailuresOptions) {
    this.#options = options;
  }

  /** @throws a `Refusal` that says when to try again */
  require(attempt: LoginAttempt): void {
    const { loginFailureLimit: limit, loginFailureWindowMs: windowMs, clock } = this.#options;
    const now = clock.monotonic();
    for (const { key, allowed } of keysOf(attempt, limit)) {
      const entry = this.#entries.get(key);
      const leftMs = entry === undefined ? 0 : entry.since + windowMs - now;
      if (limit > 0 && entry !== undefined && leftMs > 0 && entry.count >= allowed) {
        throw new Refusal("28000", "too many failed login attempts from this address", {
          detail: `Try again in ${Math.ceil(leftMs / 1000)} s.`,
        });
      }
    }
  }

  /** A password was wrong. */
  note(attempt: LoginAttempt): void {
    const { loginFailureLimit: limit, loginFailureWindowMs: windowMs, clock } = this.#options;
    if (limit === 0) {
      return;
    }
    const now = clock.monotonic();
    for (const { key } of keysOf(attempt, limit)) {
      const entry = this.#entries.get(key);
      if (entry === undefined || now - entry.since >= windowMs) {
        this.#begin(key, now);
      } else {
        entry.count += 1;
      }
    }
  }

  /** What is remembered. */
  get size(): number {
    return this.#entries.size;
  }

  #begin(key: string, now: number): void {
    this.#entries.delete(key);
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= MAX_ENTRIES) {
      this.#entries.delete(oldest);
    }
    this.#entries.set(key, { since: now, count: 1 });
  }
}

function keysOf(
  { address, user }: LoginAttempt,
  limit: number,
): readonly { readonly key: string; readonly allowed: number }[] {
  const network = networkOf(address);
  return [
    { key: `${network} ${user.slice(0, MAX_NAME_LENGTH)}`, allowed: limit },
    { key: network, allowed: limit * ADDRESS_FACTOR },
  ];
}

/** An IPv4 address, or the network of an IPv6 address: one client has all addresses of that. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) {
    return mapped ?? address;
  }
  const [head = "", tail] = address.split("%", 1)[0]?.split("::") ?? [];
  const groups = head.split(":");
  const missing = tail === undefined ? 0 : NETWORK_GROUPS - groups.length;
  const zeros = Array.from({ length: Math.max(0, missing) }, () => "0");
  return [...groups, ...zeros].slice(0, NETWORK_GROUPS).join(":");
}
