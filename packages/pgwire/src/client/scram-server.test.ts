import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { PgwireError } from "../error.ts";
import { ScramClient } from "../startup/scram.ts";
import { ScramServer } from "./scram-server.ts";
import type { ScramServerOptions } from "./scram-server.ts";
import { mockScramVerifier, parseScramVerifier } from "./scram-verifier.ts";
import type { ScramVerifier } from "./scram-verifier.ts";

/** As PostgreSQL stores a password. */
function stored(password: string, salt: Buffer, iterations = 4096): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const key = (name: string): Buffer => createHmac("sha256", salted).update(name).digest();
  const storedKey = createHash("sha256").update(key("Client Key")).digest("base64");
  const serverKey = key("Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

function verifierOf(text: string): ScramVerifier {
  const verifier = parseScramVerifier(text);
  if (verifier === undefined) {
    throw new Error("no verifier");
  }
  return verifier;
}

/** The exchange of RFC 7677, section 3. */
const RFC = {
  salt: Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"),
  nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
  serverFirst:
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  clientFinal:
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};
const PENCIL = verifierOf(stored("pencil", RFC.salt));

function server(options: Partial<ScramServerOptions> = {}): ScramServer {
  return new ScramServer({
    verifier: PENCIL,
    mechanism: "SCRAM-SHA-256",
    channelBinding: undefined,
    nonce: RFC.nonce,
    ...options,
  });
}

test("the exchange of RFC 7677 comes out as printed there, and yields the client's keys", () => {
  const scram = server();
  expect(scram.firstMessage(RFC.clientFirst)).toBe(RFC.serverFirst);
  const proof = scram.finalMessage(RFC.clientFinal);
  expect(proof?.message).toBe(RFC.serverFinal);
  const salted = pbkdf2Sync("pencil", RFC.salt, 4096, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  expect(proof?.keys.clientKey).toEqual(clientKey);
});

test("the keys that one exchange yields pass the next one", async () => {
  const scram = server();
  scram.firstMessage(RFC.clientFirst);
  const keys = scram.finalMessage(RFC.clientFinal)?.keys;
  if (keys === undefined) {
    throw new Error("the proof was refused");
  }
  const next = server({ nonce: "other" });
  const client = new ScramClient({
    user: "",
    secret: { type: "scramKeys", keys },
    binding: { type: "unsupported" },
    nonce: "mine",
  });
  const first = next.firstMessage(client.firstMessage().toString());
  const proof = next.finalMessage((await client.finalMessage(first)).toString());
  expect(() => client.verify(proof?.message ?? "")).not.toThrow();
});

test("a password passes if it is the one, and no other does", async () => {
  const words = fc.string({ minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(words, words, async (password, given) => {
      fc.pre(!password.includes("\0"));
      const verifier = verifierOf(stored(password, randomBytes(16), 1));
      const scram = server({ verifier });
      const secret = { type: "password", password: given } as const;
      const client = new ScramClient({
        user: "u",
        secret,
        binding: { type: "unsupported" },
        nonce: "mine",
      });
      const first = scram.firstMessage(client.firstMessage().toString());
      const proof = scram.finalMessage((await client.finalMessage(first)).toString());
      expect(proof !== undefined).toBe(given === password);
    }),
    { numRuns: 200, examples: [["same", "same"]] },
  );
});

test("a mock looks like a role, with the same salt each time, and lets nobody in", async () => {
  const secret = Buffer.alloc(32, 1);
  const mock = mockScramVerifier("alice", secret);
  expect(mockScramVerifier("alice", secret)).toEqual(mock);
  expect(mockScramVerifier("bob", secret).salt).not.toEqual(mock.salt);
  const real = verifierOf(stored("x", randomBytes(16)));
  expect(mock).toMatchObject({ iterations: real.iterations });
  expect(mock.salt.length).toBe(real.salt.length);
  // Not even with the keys that it has.
  const scram = server({ verifier: { ...PENCIL, isMock: true } });
  scram.firstMessage(RFC.clientFirst);
  expect(scram.finalMessage(RFC.clientFinal)).toBeUndefined();
});

test.each([
  "",
  "md5c8f8a1f2e1c0d0f0a0b0c0d0e0f0a0b0",
  "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
  stored("x", randomBytes(16)).replace("SHA-256", "SHA-512"),
  `${stored("x", randomBytes(16))}x`,
])("%j is no verifier", (text) => {
  expect(parseScramVerifier(text)).toBeUndefined();
});

const BINDING = Buffer.from("the hash of the certificate");
const BOUND = Buffer.concat([Buffer.from("p=tls-server-end-point,,"), BINDING]).toString("base64");

test.each([
  ["no GS2 header", "n=user,r=abc", {}, "08P01"],
  ["an identity to act as", "n,a=bob,n=user,r=abc", {}, "0A000"],
  ["an extension that is a must", "n,,m=x,n=user,r=abc", {}, "0A000"],
  ["no nonce", "n,,n=user", {}, "08P01"],
  ["an empty nonce", "n,,n=user,r=", {}, "08P01"],
  ["a nonce that cannot be printed", "n,,n=user,r=a\u0007", {}, "08P01"],
  ["a binding without the mechanism", "p=tls-server-end-point,,n=u,r=abc", {}, "08P01"],
  ["no binding with the mechanism", "n,,n=u,r=abc", { mechanism: "SCRAM-SHA-256-PLUS" }, "08P01"],
  [
    "a binding that nobody knows",
    "p=tls-unique,,n=u,r=a",
    { mechanism: "SCRAM-SHA-256-PLUS" },
    "08P01",
  ],
  ["a downgrade", "y,,n=u,r=abc", { channelBinding: BINDING }, "28000"],
] as const)("a first message with %s is refused", (_case, message, options, code) => {
  const failure: unknown = expect.objectContaining({
    diagnostic: expect.objectContaining({ code }),
  });
  expect(() => server(options).firstMessage(message)).toThrow(failure);
});

test.each([
  ["nothing", "", "08P01"],
  ["another nonce", "c=biws,r=abc,p=AAAA", "08P01"],
  ["another header than before", RFC.clientFinal.replace("biws", "eSws"), "28000"],
  ["a short proof", RFC.clientFinal.replace(/p=.*/, "p=AAAA"), "08P01"],
  ["a proof that is not base64", RFC.clientFinal.replace(/p=.*/, "p=?"), "08P01"],
])("a last message with %s is refused", (_case, message, code) => {
  const scram = server();
  scram.firstMessage(RFC.clientFirst);
  const failure: unknown = expect.objectContaining({
    diagnostic: expect.objectContaining({ code }),
  });
  expect(() => scram.finalMessage(message)).toThrow(failure);
});

test("the binding is a part of the proof", () => {
  const plus = { mechanism: "SCRAM-SHA-256-PLUS", channelBinding: BINDING } as const;
  const scram = server(plus);
  const first = "p=tls-server-end-point,,n=user,r=abc";
  scram.firstMessage(first);
  const proof = Buffer.alloc(32).toString("base64");
  expect(scram.finalMessage(`c=${BOUND},r=abc${RFC.nonce},p=${proof}`)).toBeUndefined();
  const other = server({ ...plus, channelBinding: Buffer.from("another certificate") });
  other.firstMessage(first);
  expect(() => other.finalMessage(`c=${BOUND},r=abc${RFC.nonce},p=${proof}`)).toThrow(
    "SCRAM channel binding check failed",
  );
});

test("whatever a client says, it is refused in words or does not pass", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (first, final) => {
      for (const [one, two] of [
        [first, final],
        [RFC.clientFirst, final],
        [RFC.clientFirst, RFC.clientFinal + final],
        [`n,,${first}`, `c=biws,r=${final}`],
      ] as const) {
        const scram = server();
        try {
          scram.firstMessage(one);
          expect(scram.finalMessage(two) === undefined || two === RFC.clientFinal).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(PgwireError);
        }
      }
    }),
    { numRuns: 5000 },
  );
});
