import type { ConnectionShare, ConnectionSlot } from "@multipooler/controller-api";
import { untilAborted } from "../abort.ts";

/** A place for one connection that is no pool's. */
export type SinglePlace = ConnectionSlot;

/**
 * Takes a place, and waits for it if need be: the users of the budget make room when they see that one
 * is wanted. Rejects with the signal's reason.
 */
export async function takePlace(
  share: Pick<ConnectionShare, "tryTake" | "onChange">,
  { signal, onWait }: { readonly signal: AbortSignal; readonly onWait?: () => void },
): Promise<SinglePlace> {
  for (;;) {
    const changed = Promise.withResolvers<void>();
    const stopListening = share.onChange(() => changed.resolve());
    try {
      const slot = share.tryTake();
      if (slot !== undefined) {
        return slot;
      }
      onWait?.();
      await untilAborted(changed.promise, signal);
    } finally {
      stopListening();
    }
  }
}
