// One subject of a bench in a process of its own, so that what it spends is its own.
import { openExecutor } from "./executor.ts";
import { openGrpcCallers } from "./grpc-callers.ts";
import { openEchoServer } from "./grpc-echo.ts";
import { openGrpcPooler } from "./grpc-pooler.ts";
import type { Course, Load } from "./load.ts";
import { Measurement } from "./measurement.ts";
import type { Measured, Spent } from "./measurement.ts";
import { openPgClients } from "./pg-client.ts";
import { openProtocolClient } from "./protocol-client.ts";
import type { RecordedAnswers } from "./recorded-answers.ts";
import { openSessions } from "./session.ts";
import type { PostgresPlace, Subject } from "./subject.ts";

/** What a process of the bench is. The callers of the two servers are in another process. */
export type Role =
  | { readonly type: "protocol client" | "pg" | "executor" | "session" | "grpc server" }
  | { readonly type: "grpc echo server"; readonly answers: RecordedAnswers }
  | { readonly type: "grpc callers"; readonly address: string };

/** What the bench asks of a worker; each is answered once, in order. */
export type Order =
  | { readonly type: "open"; readonly role: Role; readonly place: PostgresPlace; callers: number }
  | { readonly type: "run"; readonly load: Load }
  | { readonly type: "measure"; readonly what: Measured }
  | { readonly type: "spent" }
  | { readonly type: "close" };

export type Answer =
  | { readonly type: "opened"; readonly address: string | undefined }
  | { readonly type: "ran"; readonly course: Course }
  | { readonly type: "measuring" }
  | { readonly type: "spent"; readonly spent: Spent }
  | { readonly type: "closed" };

/** A server has no callers, callers have no address. */
interface Opened {
  readonly subject: Subject | undefined;
  readonly address: string | undefined;
  close(): Promise<void>;
}

let opened: Opened | undefined;
let measurement: Measurement | undefined;

async function open(role: Role, place: PostgresPlace, callers: number): Promise<Opened> {
  switch (role.type) {
    case "protocol client":
      return ofSubject(await openProtocolClient(place, callers));
    case "pg":
      return ofSubject(await openPgClients(place, callers));
    case "executor":
      return ofSubject(await openExecutor(place, callers));
    case "session":
      return ofSubject(await openSessions(place, callers));
    case "grpc server":
      return { subject: undefined, ...(await openGrpcPooler(place, callers)) };
    case "grpc echo server":
      return { subject: undefined, ...(await openEchoServer(role.answers)) };
    case "grpc callers":
      return ofSubject(openGrpcCallers(role.address, place, callers));
  }
}

function ofSubject(subject: Subject): Opened {
  return { subject, address: undefined, close: () => subject.close() };
}

async function obey(order: Order): Promise<Answer> {
  switch (order.type) {
    case "open":
      opened = await open(order.role, order.place, order.callers);
      return { type: "opened", address: opened.address };
    case "run": {
      if (opened?.subject === undefined) {
        throw new TypeError("this worker has no callers");
      }
      return { type: "ran", course: await opened.subject.run(order.load) };
    }
    case "measure":
      measurement = new Measurement(order.what);
      return { type: "measuring" };
    case "spent": {
      if (measurement === undefined) {
        throw new TypeError("nothing is measured");
      }
      return { type: "spent", spent: measurement.end() };
    }
    case "close":
      await opened?.close();
      return { type: "closed" };
  }
}

// Ctrl-C reaches every process of a terminal; the bench ends this one, or has ended itself.
process.on("SIGINT", () => undefined);
process.once("disconnect", () => process.exit());
process.on("message", (order: Order) => {
  obey(order).then(
    (answer) => {
      process.send?.(answer);
      if (answer.type === "closed") {
        process.disconnect();
      }
    },
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
