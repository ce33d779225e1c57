import type { Visit } from "../visit.ts";
import { WrongAnswer } from "../failure.ts";

const NOTIFICATIONS = 5;
const ARRIVAL_LIMIT_MS = 10_000;

/** A client that listens, to what it is told by another connection of its own. */
export async function listening(visit: Visit): Promise<void> {
  await using listener = await visit.connect();
  await using teller = await visit.connect();
  const channel = `soak_${visit.client}`;
  const heard: string[] = [];
  const all = Promise.withResolvers<void>();
  listener.client.on("notification", ({ payload = "" }) => {
    if (heard.push(payload) === NOTIFICATIONS) {
      all.resolve();
    }
  });
  await listener.query(`listen ${channel}`);
  await visit.pause();
  const told = Array.from({ length: NOTIFICATIONS }, (_, index) => String(index));
  for (const payload of told) {
    await teller.query("select pg_notify($1, $2)", [channel, payload]);
  }
  const limit = setTimeout(
    () => all.reject(new WrongAnswer(`heard ${heard.length} notifications`)),
    ARRIVAL_LIMIT_MS,
  );
  try {
    await all.promise;
  } finally {
    clearTimeout(limit);
  }
  visit.same("notifications", heard.join(), told.join());
  if (visit.chance.oneIn(2)) {
    await listener.query("unlisten *");
  }
}
