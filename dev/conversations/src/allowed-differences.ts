/**
 * What a pooler may answer differently from PostgreSQL, and how it is taken out before the comparison.
 * Nothing else is allowed.
 *
 * | what                                      | why                                                           |
 * | ----------------------------------------- | ------------------------------------------------------------- |
 * | ParameterStatus: when it comes            | the pooler learns some settings behind the statement; the     |
 * |                                           | values of each are compared where nothing is on its way       |
 * | NotificationResponse: when it comes, and  | one connection listens for all; those that have come are      |
 * | the process                               | compared where nothing is on its way                          |
 * | BackendKeyData                            | process and key are the pooler's                              |
 * | RowDescription: OID of the table          | the two sides have databases of their own                     |
 * | errors: file, line and routine            | those of PostgreSQL's sources, where the pooler refuses       |
 * | a cancel (57014): context                 | where in a function the statement was when the cancel came    |
 * | errors: position                          | in a PREPARE it counts the pooler's name for the statement    |
 * | errors: the name of a prepared statement  | EXECUTE with wrong parameters names the pooler's              |
 * | errors of a broken protocol (08P01): text | the same SQLSTATE and severity, in the pooler's words         |
 * | another message in the middle of a COPY   | PostgreSQL says 08P01 and ends the connection; the pooler     |
 * |                                           | ends the COPY with a CopyFail (57014) and goes on             |
 * | a Parse of a name between the Parse and   | the name is looked up when the text is read: not generated    |
 * | the Execute of SQL that has it            |                                                               |
 * | a Sync between wrong data and the end of  | passed over, as by a COPY that goes on: not generated         |
 * | a simple COPY                             |                                                               |
 * | pg_listening_channels()                   | the session's backend does not listen, the pooler does: not   |
 * |                                           | generated                                                     |
 * | SHOW application_name of a client without | the pooler's own name: not generated                          |
 * | one                                       |                                                               |
 * | LISTEN and UNLISTEN in a transaction      | 0A000 where the pooler listens already: not generated         |
 * | RESET and SET LOCAL TO DEFAULT of a start | the backend's default, where only a function or the end of a  |
 * | up setting, out of sight                  | transaction shows it: not generated                           |
 * | PREPARE, EXECUTE and DEALLOCATE as named  | errors of what the pooler sends first come first: not         |
 * | statements                                | generated                                                     |
 * | the answer to what has no Sync or Flush   | PostgreSQL drops it at a Terminate; the pooler passes it on   |
 * | before a Terminate                        |                                                               |
 * | Describe of a statement, or Bind, in a    | 25P02, where the pooler had to parse the statement first,     |
 * | failed transaction                        | also where the client then leaves                             |
 * | Describe of a statement whose text fails  | without a ParameterDescription before the error, where the    |
 * | by now                                    | pooler had to parse the statement first                       |
 */

import { terminate } from "./frontend.ts";

/** Fields of an error that may differ: where it was raised, and the position in the text. */
const FREE_FIELDS = new Set(["F", "L", "R", "P"]);
/** query_canceled */
const CANCELLED = "C57014";
/** protocol_violation */
const BROKEN_PROTOCOL = "08P01";
/** What the pooler gives as the reason of a CopyFail. */
const COPY_INTERRUPTED = "another message than CopyData";

/** One message of a server as a line of text, without what may differ. */
export function comparable(message: Buffer): string {
  const type = message.toString("latin1", 0, 1);
  switch (type) {
    case "T":
      return `T ${columnsOf(message).join(", ")}`;
    case "E":
    case "N":
      return `${type} ${fieldsOf(message)}`;
    default:
      return message.length === 5 ? type : `${type} ${message.toString("latin1", 5)}`;
  }
}

function columnsOf(message: Buffer): string[] {
  const columns: string[] = [];
  let at = 7;
  for (let count = message.readInt16BE(5); count > 0; count -= 1) {
    const end = message.indexOf(0, at);
    const behindTable = end + 5;
    columns.push(
      `${message.toString("latin1", at, end)} ${message.toString("hex", behindTable, end + 19)}`,
    );
    at = end + 19;
  }
  return columns;
}

function fieldsOf(message: Buffer): string {
  const fields = message
    .toString("latin1", 5)
    .split("\0")
    .filter((field) => field !== "" && !FREE_FIELDS.has(field[0] ?? ""))
    .filter((field, _, all) => !(field.startsWith("W") && all.includes(CANCELLED)));
  const words = fields.find((field) => field.startsWith("M")) ?? "";
  if (fields.includes(`C${BROKEN_PROTOCOL}`) || words.includes(COPY_INTERRUPTED)) {
    return `${fields.find((field) => field.startsWith("V")) ?? ""}|${BROKEN_PROTOCOL}`;
  }
  return fields.join("|").replaceAll(/prepared statement "\w+"/gu, "prepared statement");
}

/** What a transcript says of a connection that has ended between two messages. */
export const THE_END = "the end";

const BROKEN_COPY = ["E VERROR|08P01", "E VFATAL|08P01", THE_END];

/** Whether PostgreSQL has ended a connection because of another message in the middle of a COPY. */
export function endsInCopy(expected: readonly string[]): boolean {
  const end = expected.slice(-BROKEN_COPY.length);
  return BROKEN_COPY.every((line, at) => line === end[at]);
}

const FAILED_TRANSACTION = "Z E";
/** in_failed_sql_transaction */
const IN_FAILED_TRANSACTION = "25P02";
/**
 * What PostgreSQL may say of a Bind, or behind a Describe, in a failed transaction, with protocol_violation,
 * invalid_sql_statement_name and invalid_cursor_name: it looks at nothing else there.
 */
const SAID_WHEN_FAILED = [IN_FAILED_TRANSACTION, BROKEN_PROTOCOL, "26000", "34000"];

/** What both sides have answered, as lines of {@link comparable}. */
export interface ComparedAnswers {
  readonly expected: readonly string[];
  readonly actual: readonly string[];
  /** The messages that were answered. */
  readonly sent: readonly Buffer[];
  /** The last ReadyForQuery before that, as its line; the empty text before a login. */
  readonly before: string;
}

/** Whether two answers are the same but for what may differ. */
export function isAllowed({ expected, actual, sent, before }: ComparedAnswers): boolean {
  if (sent.some((message) => message.equals(terminate)) && isCutShort(expected, actual)) {
    return true;
  }
  const expectedUnits = unitsOf(expected);
  const actualUnits = unitsOf(actual);
  if (expectedUnits.length !== actualUnits.length) {
    return false;
  }
  const others = expectedUnits
    .map((unit, at) => ({
      unit,
      other: actualUnits[at] ?? [],
      status: at === 0 ? before : expectedUnits[at - 1]?.at(-1),
    }))
    .filter(({ unit, other }) => !isSame(unit, other));
  return (
    others.length <= sent.filter(usesStatement).length &&
    others.every(
      ({ unit, other, status }) =>
        isNotDescribed(unit, other) ||
        (status === FAILED_TRANSACTION && isFailedEarlier(unit, other)),
    )
  );
}

/** Whether PostgreSQL's answer is the beginning of the pooler's, up to the end of both. */
function isCutShort(expected: readonly string[], actual: readonly string[]): boolean {
  return (
    actual.at(-1) === THE_END &&
    expected.at(-1) === THE_END &&
    expected.slice(0, -1).every((line, at) => line === actual[at])
  );
}

function isSame(expected: readonly string[], actual: readonly string[]): boolean {
  return expected.length === actual.length && expected.every((line, at) => line === actual[at]);
}

/** A Describe of a statement, or a Bind: the pooler may have to parse what it names on this backend. */
function usesStatement(message: Buffer): boolean {
  const type = message.toString("latin1", 0, 1);
  return type === "B" || (type === "D" && message.toString("latin1", 5, 6) === "S");
}

/** Whether the pooler says at once that the transaction has failed, and PostgreSQL says nothing else. */
function isFailedEarlier(expected: readonly string[], actual: readonly string[]): boolean {
  const [error = "", end, ...more] = actual;
  const errors = expected.filter((line) => line.startsWith("E "));
  return (
    error.startsWith("E ") &&
    error.includes(`|C${IN_FAILED_TRANSACTION}|`) &&
    more.length === 0 &&
    (end === FAILED_TRANSACTION || end === THE_END) &&
    expected.at(-1) === end &&
    errors.every((line) => SAID_WHEN_FAILED.some((code) => sqlstateOf(line) === code))
  );
}

/** Whether PostgreSQL tells the parameters of a statement before it fails to tell the columns, and the pooler does not. */
function isNotDescribed(expected: readonly string[], actual: readonly string[]): boolean {
  const failed = expected.findIndex((line) => line.startsWith("E "));
  return (
    expected[failed - 1]?.startsWith("t ") === true &&
    isSame(expected.toSpliced(failed - 1, 1), actual)
  );
}

/** Of an error as {@link comparable} has it. */
function sqlstateOf(line: string): string | undefined {
  return /\|C?([\dA-Z]{5})(?:\||$)/u.exec(line)?.[1];
}

/** What comes up to each ReadyForQuery. */
function unitsOf(lines: readonly string[]): string[][] {
  const units: string[][] = [[]];
  for (const line of lines) {
    units.at(-1)?.push(line);
    if (line.startsWith("Z")) {
      units.push([]);
    }
  }
  return units;
}
