import type { SoakConnection } from "../connection.ts";
import type { Visit } from "../visit.ts";

const ACCOUNTS = 20;

/** Transactions that are committed, rolled back, have failed or lock something. */
export async function transactions(visit: Visit): Promise<void> {
  await using connection = await visit.connect();
  for await (const _ of visit.steps()) {
    await transaction(visit, connection);
  }
}

/** A transaction that its client leaves open. */
export async function abandonedTransactions(visit: Visit): Promise<void> {
  const connection = await visit.connect();
  await connection.query("begin");
  await connection.query(`insert into ledger values ${visit.rows(visit.ledger.take(1))}`);
  await connection.query("select pg_advisory_lock($1::int)", [visit.chance.between(1, ACCOUNTS)]);
  await visit.pause();
  connection.vanish();
}

async function transaction(visit: Visit, connection: SoakConnection): Promise<void> {
  const { chance, ledger } = visit;
  const ids = ledger.take(chance.between(1, 3));
  await connection.query("begin");
  await connection.query(`insert into ledger values ${visit.rows(ids)}`);
  const account = chance.between(1, ACCOUNTS);
  await connection.query("update account set balance = balance + 1 where id = $1", [account]);
  switch (chance.between(0, 4)) {
    case 0:
      await connection.query("rollback");
      return;
    case 1:
      await visit.refused(connection.query("select no_such_column"), "42703");
      await visit.refused(connection.query("select 1"), "25P02");
      await connection.query("rollback");
      return;
    case 2:
      await connection.query("savepoint here");
      await connection.query("set local statement_timeout = '5s'");
      await connection.query("create temporary table brief (n int) on commit drop");
      await connection.query("rollback to here");
      break;
    case 3:
      await connection.query("declare rows cursor for select generate_series(1, 100)");
      await connection.query("fetch 10 from rows");
      break;
    default:
  }
  await ledger.commit(ids, () => connection.query("commit"));
}
