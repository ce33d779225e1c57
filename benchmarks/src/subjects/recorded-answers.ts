import { gatewayRequests } from "./gateway-request.ts";
import type { GatewayRequest } from "./gateway-request.ts";
import { GatewayClient } from "./grpc-callers.ts";
import { markOf, Works } from "./work.ts";
import type { CaseName } from "./work.ts";

/** The messages of each answer, by the path and the mark of its request. */
export type RecordedAnswers = ReadonlyMap<string, readonly Buffer[]>;

/** By what an answer is found. */
export function answerKey(path: string, request: Buffer): string {
  return `${path} ${markOf(request)}`;
}

/** Has each case done once by the server at `address`, and keeps what it answers. */
export async function recordAnswers(
  address: string,
  user: string,
  cases: readonly CaseName[],
): Promise<RecordedAnswers> {
  const client = new GatewayClient(address);
  const works = new Works((work) => gatewayRequests(user, work));
  const answers = new Map<string, Buffer[]>();
  let last: GatewayRequest | undefined;
  const record = (answer: Buffer, request: GatewayRequest): void => {
    const key = answerKey(request.path, request.bytes);
    // A request that comes several times in a transaction is answered alike each time.
    const known = request === last ? (answers.get(key) ?? []) : [];
    answers.set(key, [...known, answer]);
    last = request;
  };
  try {
    for (const caseName of cases) {
      await client.do(works.at(caseName, 0, 0), record);
    }
  } finally {
    client.close();
  }
  return answers;
}
