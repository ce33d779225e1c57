import type { SqlTokenKind } from "@multipooler/pgwire";
import { decidesMeaning } from "../statements/parse-conditions.ts";
import { Taint } from "./taint.ts";
import type { TaintSet } from "./taint.ts";

/** A call of set_config whose arguments are being read. */
interface Call {
  /** Parentheses open inside the call. */
  depth: number;
  /** The setting, if it is a constant and nothing else. */
  name: string | undefined;
  argument: number;
  tokensInArgument: number;
  isLocal: boolean;
}

/**
 * Reads the arguments of `set_config(name, value, is_local)`. With a constant `true` the setting ends
 * with the transaction; a seed that was set does not.
 */
export class SetConfigCalls {
  #taint: TaintSet = Taint.None;
  readonly #calls: Call[] = [];
  #setsLocally = false;

  /** Whether some change, for their transaction, what other texts mean. */
  get setsLocally(): boolean {
    return this.#setsLocally;
  }

  /** What the calls leave; one that has no end may be anything. */
  get taint(): TaintSet {
    return this.#calls.length === 0 ? this.#taint : Taint.Unknown;
  }

  /** The opening parenthesis of a call was the last token. */
  open(): void {
    this.#calls.push({
      depth: 0,
      name: undefined,
      argument: 0,
      tokensInArgument: 0,
      isLocal: false,
    });
  }

  /** Takes the next token of the text. */
  see(kind: SqlTokenKind, value: string | undefined): void {
    const call = this.#calls.at(-1);
    if (call === undefined) {
      return;
    }
    const symbol = kind === "symbol" ? value : undefined;
    if (symbol === ")" && call.depth === 0) {
      this.#calls.pop();
      this.#taint |= taintOf(call);
      const { name, isLocal } = call;
      this.#setsLocally ||= isLocal && (name === undefined || decidesMeaning(name));
      const outer = this.#calls.at(-1);
      if (outer !== undefined) {
        outer.depth -= 1;
      }
      return;
    }
    if (symbol === "," && call.depth === 0) {
      call.argument += 1;
      call.tokensInArgument = 0;
      call.isLocal = false;
      return;
    }
    if (symbol === "(" || symbol === ")") {
      call.depth += symbol === "(" ? 1 : -1;
    }
    call.tokensInArgument += 1;
    const isOnly = call.tokensInArgument === 1;
    if (call.argument === 0) {
      call.name = isOnly && kind === "string" ? value : undefined;
    }
    call.isLocal = call.argument === 2 && isOnly && kind === "word" && value === "true";
  }
}

function taintOf({ name, isLocal }: Call): TaintSet {
  const settings = isLocal ? Taint.None : Taint.Settings;
  const maySeed = name === undefined || name.toLowerCase() === "seed";
  return settings | (maySeed ? Taint.Seed : Taint.None);
}
