import type { MultiPoolerError } from "../error.ts";

/** Something that was admitted and may have to be ended before it is done. */
export interface Holder {
  /** Ends it soon; it leaves the gate by itself. Only the first reason counts. */
  cut(reason: MultiPoolerError): void;
}

/** Admitted requests by kind: `single` ends by itself, `reserved` holds a backend until it is released. */
export type HolderKind = "single" | "reserved";

/** How many are admitted now. */
export type HolderCounts = Readonly<Record<HolderKind, number>>;

/** Who is inside the gate, and who waits until they have left. */
export class Holders {
  readonly #byKind: Readonly<Record<HolderKind, Set<Holder>>> = {
    single: new Set(),
    reserved: new Set(),
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
      for (const holder of holders) {
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
    this.#onLeave = () => {
      if (isTrue(this.counts)) {
        resolve();
      }
    };
    await promise;
    this.#onLeave = undefined;
  }
}
