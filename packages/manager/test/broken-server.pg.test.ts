import type net from "node:net";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManagerFixture } from "./manager-fixture.ts";
import { answerWith, listenAsPeer, passOn } from "./peer.ts";
import { configFor } from "./server.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const authentication = (code: number): Buffer => {
  const bytes = hex("52 00000008 00000000");
  bytes.writeInt32BE(code, 5);
  return bytes;
};
const NOTICE_HEADER = hex("4E 3FFFFFFF");

/** What a server answers to the start-up, and what the manager says of it. */
const ANSWERS: readonly (readonly [string, Buffer, string])[] = [
  ["asks for Kerberos V5", authentication(2), "authentication by Kerberos V5 (code 2)"],
  ["asks for SCM credentials", authentication(6), "authentication by SCM credentials (code 6)"],
  ["asks for GSSAPI", authentication(7), "authentication by GSSAPI (code 7)"],
  ["goes on with GSSAPI", authentication(8), "authentication by GSSAPI (continued) (code 8)"],
  ["asks for SSPI", authentication(9), "authentication by SSPI (code 9)"],
  [
    "asks for what nobody knows",
    authentication(99),
    "authentication by an unknown method (code 99)",
  ],
  [
    "cuts an ErrorResponse short",
    hex("45 0000000A 53 46 41 54 41 4C"),
    'malformed message of type "E"',
  ],
  [
    "gives no SQLSTATE",
    Buffer.concat([hex("45 0000000C"), Buffer.from("SFATAL\0\0")]),
    'malformed message of type "E"',
  ],
  [
    "sends a NOTICE of a gigabyte",
    Buffer.concat([NOTICE_HEADER, Buffer.alloc(1_000_000, "x")]),
    "with the length 1073741823",
  ],
  ["gives a length of 0", hex("52 00000000"), "with the length 0"],
  ["gives a length of 3", hex("52 00000003"), "with the length 3"],
  ["gives a length of -5", hex("52 FFFFFFFB"), "with the length -5"],
  ["gives a length of 0x7FFFFFFF", hex("52 7FFFFFFF"), "with the length 2147483647"],
  [
    "gives a ParameterStatus no end",
    Buffer.concat([hex("53 00000008"), Buffer.from("abcd")]),
    'malformed message of type "S"',
  ],
];

test.each(ANSWERS)(
  "a server that %s at the start is waited for, and served when it is mended",
  async (_, bytes, words) => {
    let behave = answerWith(bytes);
    await using peer = await listenAsPeer((socket) => behave(socket));
    await using fixture = new ManagerFixture({
      database: { ...configFor(postgres), ...at(peer.port) },
    });
    await fixture.open();
    const broken = await fixture.until(({ database }) => database.lastError !== undefined);
    expect(broken).toMatchObject({ state: { name: "starting" }, ready: false });
    expect(broken.notReadyReason).toContain(words);
    expect(broken.notReadyReason).toContain(`PostgreSQL at 127.0.0.1:${peer.port}`);
    behave = passOn(postgres.port);
    await fixture.untilReady();
  },
);

test.each([
  [
    "GSSAPI",
    authentication(7),
    "authentication by GSSAPI (code 7)",
    ["LOGIN_REFUSED", "LOGIN_REFUSED"],
  ],
  [
    "a broken error",
    hex("45 0000000A 53 46 41 54 41 4C"),
    'malformed message of type "E"',
    ["CONNECTIONS_REFUSED", "DATABASE_UNREACHABLE"],
  ],
])(
  "a running server that answers new connections with %s makes the pooler not ready until it is mended",
  async (_, bytes, words, codes) => {
    let behave: (socket: net.Socket) => void = passOn(postgres.port);
    await using peer = await listenAsPeer((socket) => behave(socket));
    await using fixture = new ManagerFixture({
      database: { ...configFor(postgres), ...at(peer.port) },
    });
    await fixture.open();
    await fixture.untilReady();

    // What is open still works; only the next connection fares otherwise.
    behave = answerWith(bytes);
    const refusing = await fixture.until(({ ready }) => !ready);
    expect(refusing.notReadyReason).toMatch(/^new connections are refused: /);
    expect(refusing.notReadyReason).toContain(words);
    expect(refusing.serving.current.status).toBe("SERVING");
    expect(refusing.notReadyCode).toBe(codes[0]);

    await postgres.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'multipooler %'",
    );
    const down = await fixture.until(({ serving }) => serving.current.status === "NOT_SERVING");
    expect(down.notReadyReason).toContain(words);
    expect(down.state).toEqual({ name: "ready" });
    expect(down.notReadyCode).toBe(codes[1]);

    behave = passOn(postgres.port);
    await fixture.untilReady();
  },
);

test("a server that keeps its SCRAM rounds beyond all reason is given up", async () => {
  await using scram = await startPostgres({ auth: "scram-sha-256" });
  await using peer = await listenAsPeer((socket) => {
    let answers = 0;
    socket.on("data", (chunk) => {
      answers += 1;
      if (answers === 1) {
        socket.write(message(10, "SCRAM-SHA-256\0\0"));
        return;
      }
      const nonce = /r=([^,]+)$/.exec(chunk.toString())?.[1] ?? "";
      socket.write(message(11, `r=${nonce}x,s=AAAA,i=2000000000`));
    });
  });
  await using fixture = new ManagerFixture({
    database: { ...configFor(scram), ...at(peer.port) },
  });
  await fixture.open();
  const broken = await fixture.until(({ database }) => database.lastError !== undefined);
  expect(broken.database.lastError).toContain("iteration count 2000000000");
});

function message(code: number, text: string): Buffer {
  const body = Buffer.from(text);
  const bytes = Buffer.alloc(9);
  bytes.write("R");
  bytes.writeInt32BE(8 + body.length, 1);
  bytes.writeInt32BE(code, 5);
  return Buffer.concat([bytes, body]);
}

function at(port: number) {
  return { address: { type: "tcp" as const, host: "127.0.0.1", port } };
}
