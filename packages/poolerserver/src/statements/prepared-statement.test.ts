import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import type { ExtendedStep, RequestEnd, TransactionStatus } from "@multipooler/pgwire";
import { expect, test } from "vitest";
import { HeldStatements } from "./held-statements.ts";
import { PreparedStatement } from "./prepared-statement.ts";
import { StatementRegistry } from "./statement-registry.ts";

const STATEMENT = {
  type: "prepared",
  sql: "select $1",
  parameterTypes: [],
  parameters: [],
  parameterFormats: [],
  resultFormats: [],
  maxRows: 0,
  describe: false,
} as const;
const CHANGED = { code: "0A000", routine: "RevalidateCachedQuery" };
const VANISHED = { code: "26000" };

class Scene {
  readonly registry = new StatementRegistry();

  /** Sends the statement; returns the types of its messages, and what becomes of it. */
  send(
    lease: Session,
    {
      steps = [],
      error,
      status = "I",
      drops = false,
    }: {
      steps?: readonly ExtendedStep[];
      error?: { code: string; routine?: string };
      status?: TransactionStatus;
      drops?: boolean;
    } = {},
  ): { messages: string; again: boolean } {
    const receiver = { event: () => undefined, settle: () => undefined };
    const { registry } = this;
    const run = new PreparedStatement({
      statement: STATEMENT,
      preparation: { registry, conditions: "", drops },
      receiver,
    });
    run.placeOn(lease);
    const messages = typesOf(run.request);
    for (const step of steps) {
      run.step(step);
    }
    run.settle(ready(status, error));
    return { messages, again: run.mustRunAgain };
  }
}

interface Session {
  readonly statements: HeldStatements;
}

function session(): Session {
  return { statements: new HeldStatements() };
}

function typesOf(request: PreparedStatement["request"]): string {
  const bytes = Buffer.alloc(request.byteLength);
  expect(request.writeTo(bytes, 0)).toBe(bytes.length);
  let types = "";
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    types += bytes.toString("latin1", at, at + 1);
  }
  return types;
}

function ready(
  transactionStatus: TransactionStatus,
  error: { code: string; routine?: string } | undefined,
): RequestEnd {
  const diagnostic = { kind: "error", severity: "ERROR", message: "no", code: "" } as const;
  return {
    type: "ready",
    transactionStatus,
    settingsReported: false,
    error:
      error === undefined
        ? undefined
        : new PgwireError(PgwireErrorCode.Postgres, "no", {
            diagnostic: { ...diagnostic, ...error },
            sent: true,
          }),
  };
}

test("is parsed where it is not held, in the same write, and not again", () => {
  const scene = new Scene();
  const lease = session();
  expect(scene.send(lease, { steps: ["parsed", "bound"] }).messages).toBe("CPBES");
  expect(scene.send(lease, { steps: ["bound"] }).messages).toBe("BES");
  expect(scene.send(session()).messages).toBe("CPBES");
});

test("is not held after a Parse that failed, nor before its answer", () => {
  const scene = new Scene();
  const lease = session();
  expect(scene.send(lease, { error: { code: "42601" } })).toEqual({
    messages: "CPBES",
    again: false,
  });
  expect(scene.send(lease).messages).toBe("CPBES");
});

test("is held after a Bind that failed", () => {
  const scene = new Scene();
  const lease = session();
  scene.send(lease, { steps: ["parsed"], error: { code: "22P02" } });
  expect(scene.send(lease).messages).toBe("BES");
});

test.each([
  ["a plan that does not fit any more", CHANGED],
  ["a statement that has vanished", VANISHED],
  ["a type that has changed", { code: "22P02" }],
])("%s makes it run again with a Parse, once", (_, error) => {
  const scene = new Scene();
  const lease = session();
  scene.send(lease, { steps: ["parsed", "bound"] });
  expect(scene.send(lease, { error })).toEqual({ messages: "BES", again: true });
  expect(scene.send(lease, { error })).toEqual({ messages: "CPBES", again: false });
});

test("a plan that does not fit any more is parsed again on every session", () => {
  const scene = new Scene();
  const leases = [session(), session(), session()] as const;
  for (const lease of leases) {
    scene.send(lease, { steps: ["parsed", "bound"] });
  }
  scene.send(leases[0], { error: CHANGED });
  expect(leases.map((lease) => scene.send(lease, { steps: ["parsed"] }).messages)).toEqual([
    "CPBES",
    "CPBES",
    "CPBES",
  ]);
  expect(leases.map((lease) => scene.send(lease).messages)).toEqual(["BES", "BES", "BES"]);
});

test("in a transaction the error is the caller's, and the next ones parse", () => {
  const scene = new Scene();
  const lease = session();
  scene.send(lease, { steps: ["parsed", "bound"] });
  expect(scene.send(lease, { error: CHANGED, status: "E" }).again).toBe(false);
  expect(scene.send(lease).messages).toBe("CPBES");
});

test("it is parsed again after the catalog may have changed", () => {
  const scene = new Scene();
  const lease = session();
  scene.send(lease, { steps: ["parsed", "bound"] });
  scene.registry.noteDdl();
  expect(scene.send(lease, { steps: ["parsed", "bound"] }).messages).toBe("CPBES");
  expect(scene.send(lease).messages).toBe("BES");
});

test.each([CHANGED, VANISHED])("an error after the Bind is the statement's own", (error) => {
  const scene = new Scene();
  const lease = session();
  scene.send(lease, { steps: ["parsed", "bound"] });
  expect(scene.send(lease, { steps: ["bound"], error }).again).toBe(false);
  expect(scene.send(lease).messages).toBe("BES");
});

test("what may drop prepared statements is not held, and closed by the next one", () => {
  const scene = new Scene();
  const lease = session();
  for (const messages of ["CPBES", "CCPBES", "CCPBES"]) {
    expect(scene.send(lease, { steps: ["parsed", "bound"], drops: true }).messages).toBe(messages);
  }
});

test("what the server may have passed over is closed by the next one", () => {
  const scene = new Scene();
  const lease = session();
  lease.statements.close("left over");
  expect(scene.send(lease, { error: { code: "22023" } }).messages).toBe("CCPBES");
  expect(scene.send(lease, { steps: ["parsed"], error: { code: "22P02" } }).messages).toBe(
    "CCPBES",
  );
  expect(scene.send(lease).messages).toBe("BES");
});
