import { SimpleQuery } from "@multipooler/pgwire";
import { ReservationReason } from "@multipooler/query-service";
import { Deadline } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { ADVISORY_LOCK_PROBE } from "../advisory-lock-probe.ts";
import type { ReservedBackend } from "./reserved-backend.ts";

const PROBE_TIMEOUT_MS = 5000;

/**
 * Drops the reason `SessionAdvisoryLock` if the session holds no such lock any more. Within a
 * transaction it stays, as it does where the session cannot be asked.
 */
export async function recheckAdvisoryLocks(
  reserved: ReservedBackend,
  { clock }: { readonly clock: Clock },
): Promise<void> {
  const { reasons } = reserved;
  const isAsked =
    reasons.has(ReservationReason.SessionAdvisoryLock) &&
    !reasons.has(ReservationReason.Transaction);
  if (!isAsked) {
    return;
  }
  using deadline = new Deadline({ clock, ms: PROBE_TIMEOUT_MS, what: "asking for the locks" });
  let rowCount = 0;
  const { fate } = await reserved.run(
    (receiver) => new SimpleQuery({ sql: ADVISORY_LOCK_PROBE, receiver }),
    {
      signal: deadline.signal,
      sink: {
        write: (event) => {
          rowCount += event.type === "rows" ? event.rowCount : 0;
          return undefined;
        },
      },
    },
  );
  if (fate === "done" && rowCount === 0) {
    reasons.remove(ReservationReason.SessionAdvisoryLock);
  }
}
