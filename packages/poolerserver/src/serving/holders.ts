import type { MultiPoolerError } from "../error.ts";

/** Something that was admitted and may have to be ended before it is done. */
export interface Holder {
  /** Ends it soon; it leaves the gate by itself. Only the first reason counts. */
  cut(reason: MultiPoolerError): void;
  /** Where it stands among the holders of its kind; {@link Holders} keeps it, and nobody else. */
  holderIndex?: number;
}

/** Admitted requests by kind: `single` ends by itself, `reserved` holds a backend until it is released. */
export type HolderKind = "single" | "reserved";

/** How many are admitted now. */
export type HolderCounts = Readonly<Record<HolderKind, number>>;

/**
 * Holders of one kind, in an array. A Set that as much goes through would be rebuilt again and again,
 * and each of its old tables that V8 has taken for long-lived keeps the next one, with every holder
 * in it, until the next collection of the old generation.
 */
class HolderList {
  readonly #holders: Holder[] = [];

  get size(): number {
    return this.#holders.length;
  }

  add(holder: Holder): void {
    if (!this.#has(holder)) {
      holder.holderIndex = this.#holders.length;
      this.#holders.push(holder);
    }
  }

  /** Returns whether it was there. */
  delete(holder: Holder): boolean {
    if (!this.#has(holder)) {
      return false;
    }
    const last = this.#holders.pop();
    const index = holder.holderIndex ?? 0;
    if (last !== undefined && last !== holder) {
      last.holderIndex = index;
      this.#holders[index] = last;
    }
    return true;
  }

  /** Those that are there now. */
  all(): readonly Holder[] {
    return [...this.#holders];
  }

  #has(holder: Holder): boolean {
    return holder.holderIndex !== undefined && this.#holders[holder.holderIndex] === holder;
  }
}

/** Who is inside the gate, and who waits until they have left. */
export class Holders {
  readonly #byKind: Readonly<Record<HolderKind, HolderList>> = {
    single: new HolderList(),
    reserved: new HolderList(),
  };
  #onLeave: (() => void) | undefined;

  get counts(): HolderCounts {
    return { single: this.#byKind.single.size, reserved: this.#byKind.reserved.size };
  }

  add(kind: HolderKind, holder: Holder): void {
    this.#byKind[kind].add(holder);
  }

  /** A single request has turned out to hold its backend, or a reservation not to. */
  change(kind: HolderKind, holder: Holder): void {
    const [from, to] =
      kind === "reserved"
        ? [this.#byKind.single, this.#byKind.reserved]
        : [this.#byKind.reserved, this.#byKind.single];
    if (from.delete(holder)) {
      to.add(holder);
      this.#onLeave?.();
    }
  }

  remove(holder: Holder): void {
    if (this.#byKind.single.delete(holder) || this.#byKind.reserved.delete(holder)) {
      this.#onLeave?.();
    }
  }

  cutAll(reason: MultiPoolerError): void {
    for (const holders of [this.#byKind.reserved, this.#byKind.single]) {
      for (const holder of holders.all()) {
        holder.cut(reason);
      }
    }
  }

  /** Resolves as soon as `isTrue` of the counts. One caller at a time. */
  async until(isTrue: (counts: HolderCounts) => boolean): Promise<void> {
    if (isTrue(this.counts)) {
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const onLeave = (): void => {
      if (isTrue(this.counts)) {
        resolve();
      }
    };
    this.#onLeave = onLeave;
    await promise;
    // The next caller may wait already, where nobody waited for this one any more.
    if (this.#onLeave === onLeave) {
      this.#onLeave = undefined;
    }
  }
}
