import {
  DemoteResponse,
  PromoteResponse,
  UndoDemoteResponse,
} from "@multipooler/proto/promotion-v1";
import { expect, test } from "vitest";
import { tellNotServing } from "./not-serving.ts";
import { demotedText, promotedText, undoneText } from "./promotion-text.ts";

const PLACE = { lsnPosition: "0/3000148", consensusTerm: 2n };
const NOT_SERVING = { code: "DRAINED", reason: "drained by an operator: works" };

const TEXTS: readonly (readonly [text: string, expected: string])[] = [
  [
    promotedText(PromoteResponse.create(PLACE)),
    "The pooler is the primary, at 0/3000148 in term 2.\n",
  ],
  [
    promotedText(PromoteResponse.create({ ...PLACE, notServing: NOT_SERVING })),
    "The pooler is promoted, at 0/3000148 in term 2.\n",
  ],
  [
    promotedText(
      PromoteResponse.create({ ...PLACE, wasAlreadyPrimary: true, notServing: NOT_SERVING }),
    ),
    "The pooler was the primary already, at 0/3000148 in term 2.\n",
  ],
  [
    demotedText(DemoteResponse.create({ ...PLACE, connectionsTerminated: 3 })),
    "The server is a standby that follows nobody, at 0/3000148; 3 sessions were ended.\n",
  ],
  [
    demotedText(DemoteResponse.create({ ...PLACE, wasAlreadyDemoted: true })),
    "The server was a standby already, at 0/3000148; 0 sessions were ended.\n",
  ],
  [
    undoneText(UndoDemoteResponse.create(PLACE)),
    "The pooler is the primary again, at 0/3000148 in term 2.\n",
  ],
  [
    undoneText(UndoDemoteResponse.create({ ...PLACE, notServing: NOT_SERVING })),
    "The pooler is promoted again, at 0/3000148 in term 2.\n",
  ],
  [
    undoneText(UndoDemoteResponse.create({ ...PLACE, wasAlreadyPrimary: true })),
    "The pooler was the primary already, at 0/3000148 in term 2.\n",
  ],
];

test.each(TEXTS)("%j is what is told", (text, expected) => {
  expect(text).toBe(expected);
});

test("why a promoted pooler does not serve is told, and is an exit code of its own", () => {
  const lines: string[] = [];
  const io = { complain: (line: string) => void lines.push(line) };
  expect(tellNotServing(undefined, io)).toBe(0);
  expect(lines).toEqual([]);
  expect(tellNotServing(NOT_SERVING, io)).toBe(3);
  expect(lines).toEqual([
    "the role is changed, but the pooler does not serve: drained by an operator: works (DRAINED)",
  ]);
});
