import type { Visit } from "../visit.ts";

const TRANSACTION = 1;
const COMMIT = 1;
const ROLLBACK = 2;
const LARGE = "select repeat('z', 1000) from generate_series(1, 5000)";
const CALL_LIMIT_MS = 40_000;

/** Calls over gRPC: queries, large results that are not read to the end, transactions. */
export async function calls(visit: Visit): Promise<void> {
  const { caller, chance } = visit;
  const limits = { timeoutMs: CALL_LIMIT_MS };
  for await (const step of visit.steps()) {
    switch (chance.between(0, 4)) {
      case 0:
        await visit.write(1, (rows) =>
          caller.executeQuery({ query: `insert into ledger values ${rows}` }, limits),
        );
        break;
      case 1:
        for await (const _ of caller.streamExecute({ query: LARGE }, limits)) {
          if (chance.oneIn(4)) {
            break;
          }
        }
        break;
      case 2:
        await transaction(visit);
        break;
      case 3:
        await visit.refused(caller.executeQuery({ query: "select 1 / 0" }, limits), "22012");
        break;
      default: {
        const { result } = await caller.executeQuery({ query: `select ${step}` }, limits);
        visit.same("value", Buffer.from(result?.rows[0]?.values ?? []).toString(), String(step));
      }
    }
  }
}

/** A transaction of calls, which is committed, rolled back or left alone. */
async function transaction(visit: Visit): Promise<void> {
  const { caller, chance, ledger } = visit;
  const limits = { timeoutMs: CALL_LIMIT_MS };
  const ids = ledger.take(2);
  const begin = {
    query: `insert into ledger values ${visit.rows(ids)}`,
    reservationOptions: { reasons: TRANSACTION },
  };
  let reservedConnectionId = 0n;
  for await (const { reservedState } of caller.streamExecute(begin, limits)) {
    reservedConnectionId = reservedState?.reservedConnectionId ?? reservedConnectionId;
  }
  await visit.pause();
  const options = { reservedConnectionId };
  switch (chance.between(0, 3)) {
    case 0:
      await caller.concludeTransaction({ options, conclusion: ROLLBACK }, limits);
      return;
    case 1:
      await caller.releaseReservedConnection({ options }, limits);
      return;
    case 2:
      // Nobody concludes it: the pooler does, after a while.
      return;
    default:
      await ledger.commit(ids, () =>
        caller.concludeTransaction({ options, conclusion: COMMIT }, limits),
      );
  }
}
