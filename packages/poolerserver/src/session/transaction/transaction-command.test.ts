import { expect, test } from "vitest";
import { TransactionCommands } from "./transaction-command.ts";
import type { TransactionCommand } from "./transaction-command.ts";

const TEXTS: Readonly<Record<TransactionCommand["type"] | "other", readonly string[]>> = {
  begin: [
    "begin",
    "BEGIN;",
    " Begin /* why */ Work ; -- so",
    "begin transaction",
    "begin read only",
    "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "begin isolation level repeatable read, read only",
    "begin isolation level read uncommitted read only",
  ],
  start: ["start transaction", "START TRANSACTION READ ONLY;"],
  commit: ["commit", "COMMIT WORK;", "end", "end transaction", "commit and no chain"],
  rollback: ["rollback", "ABORT;", "rollback transaction", "abort work and no chain"],
  other: [
    "",
    ";",
    "start",
    "begin begin",
    "begin; begin",
    "begin; select 1",
    "begin read write",
    "begin deferrable",
    "begin read only, deferrable",
    "begin isolation level serializable",
    "start transaction isolation level serializable, read only",
    "begin read",
    "begin ,read only",
    "begin read only,",
    'begin "work"',
    'begin "read" only',
    "begin 'read' only",
    "begin transaction work",
    "commit and chain",
    "commit prepared 'x'",
    "rollback to s",
    "rollback to savepoint s",
    "rollback prepared 'x'",
    "prepare transaction 'x'",
    "end work transaction",
    "begin -- é",
    `begin${" ".repeat(300)}`,
  ],
};

test.each(Object.entries(TEXTS).flatMap(([type, texts]) => texts.map((text) => [text, type])))(
  "%j is %s",
  (text, type) => {
    const commands = new TransactionCommands();
    expect(commands.read(text)?.type ?? "other").toBe(type);
    expect(commands.read(text)?.type ?? "other").toBe(type);
  },
);
