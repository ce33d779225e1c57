import { connect } from "node:net";
import { closeOf } from "../connection.ts";
import type { Visit } from "../visit.ts";

/** A Query message of which the second half never comes. */
const HALF_A_MESSAGE = Buffer.from("Q\0\0\0\x40select 'and then the client was");
/** Beginnings of conversations that do not go on. */
const BEGINNINGS: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.from([0, 0, 0]),
  Buffer.from("\0\0\0\x08\x04\xd2\x16\x2f", "latin1"),
  Buffer.from("\0\0\0\x17\0\x03\0\0user\0postgres\0\0", "latin1"),
  Buffer.from("GET / HTTP/1.1\r\n\r\n"),
];

const CANCEL_AGAIN_MS = 200;

/** Clients that vanish in the middle of a message or of a statement, or leave something behind. */
export async function vanishing(visit: Visit): Promise<void> {
  const connection = await visit.connect();
  await connection.query("select 1");
  switch (visit.chance.between(0, 4)) {
    case 0:
      connection.write(HALF_A_MESSAGE);
      break;
    case 1:
      connection.query("select pg_sleep(5)").catch(() => undefined);
      break;
    case 2: {
      const ids = visit.ledger.take(1);
      visit.ledger.doubt(ids);
      connection.query(`insert into ledger values ${visit.rows(ids)}`).catch(() => undefined);
      break;
    }
    case 3:
      await connection.query("create temporary table left_behind (n int)");
      await connection.query("prepare left_behind as select 1");
      await connection.query("set search_path = nowhere");
      break;
    default:
      await connection.query("declare held cursor with hold for select generate_series(1, 1000)");
      await connection.query("select pg_advisory_lock(4711)");
  }
  await visit.pause();
  connection.vanish();
}

/** Connections that never become clients. */
export async function strangers(visit: Visit): Promise<void> {
  const { address, chance } = visit;
  const socket = connect(address.port, address.host);
  const closed = closeOf(socket);
  socket.resume();
  socket.write(BEGINNINGS[chance.between(0, BEGINNINGS.length - 1)] ?? Buffer.alloc(0));
  await visit.pause();
  socket.destroy();
  await closed;
}

/** A client with a wrong password. */
export async function wrongPasswords(visit: Visit): Promise<void> {
  await visit.connect({ user: "stranger", password: "guessed" });
}

/** Statements that are cancelled, and one that is not although its client was cancelled before. */
export async function cancelling(visit: Visit): Promise<void> {
  await using connection = await visit.connect();
  for await (const step of visit.steps()) {
    const sleeping = visit.refused(connection.query("select pg_sleep(20)"), "57014");
    // It may fail before anybody waits for it.
    sleeping.catch(() => undefined);
    await visit.pause();
    const cancels = [connection.cancel()];
    // The first may have come before the statement had.
    const again = setInterval(() => cancels.push(connection.cancel()), CANCEL_AGAIN_MS);
    try {
      await sleeping;
    } finally {
      clearInterval(again);
      await Promise.all(cancels);
    }
    if (visit.chance.oneIn(3)) {
      await connection.query("set statement_timeout = 20");
      await visit.refused(connection.query("select pg_sleep(20)"), "57014");
      await connection.query("reset statement_timeout");
    }
    await visit.pause();
    visit.same("number", await connection.value(`select ${step}`), String(step));
  }
}
