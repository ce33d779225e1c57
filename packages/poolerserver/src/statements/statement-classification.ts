import type { Statement } from "@multipooler/query-service";
import { eitherEscape } from "../read-only-guard.ts";
import type {
  Classification,
  Sharing,
  StatementClassifier,
} from "../classification/classification.ts";

/** A prefix of SQL that runs a prepared statement, and what it does with it. */
const EXECUTES = /^(.*)\bexecute\s+$/is;

/**
 * What running `statement` does to its session. In SQL that names a prepared statement EXECUTE stands
 * for that statement: `EXPLAIN EXECUTE s(f(1))` does what `EXPLAIN <text of s>` and `SELECT (f(1))` do.
 */
export function classifyStatement(
  statement: Statement,
  classifier: Pick<StatementClassifier, "classify">,
): Classification {
  if (statement.type !== "sqlExecute") {
    return classifier.classify(statement.sql);
  }
  const { prefix, sql, suffix } = statement;
  const wrapped = EXECUTES.exec(prefix)?.[1];
  // A prefix that is not understood counts as what nobody can know.
  const text = wrapped === undefined ? `${prefix}s${suffix}` : `${wrapped}${sql}`;
  const classification = unite(classifier.classify(sql), classifier.classify(text));
  return suffix.trim() === ""
    ? classification
    : unite(classification, classifier.classify(`select ${suffix}`));
}

function unite(one: Classification, other: Classification): Classification {
  return {
    statements: Math.max(one.statements, other.statements),
    sharing: wider(one.sharing, other.sharing),
    taint: one.taint | other.taint,
    certainTaint: one.certainTaint | other.certainTaint,
    ddl: one.ddl || other.ddl,
    copy: one.copy ?? other.copy,
    opensTransaction: one.opensTransaction || other.opensTransaction,
    endsTransaction: one.endsTransaction || other.endsTransaction,
    deallocates: one.deallocates || other.deallocates,
    makesTemporary: one.makesTemporary || other.makesTemporary,
    setsLocally: one.setsLocally || other.setsLocally,
    escapes: eitherEscape(one.escapes, other.escapes),
  };
}

const WIDTH: Readonly<Record<Sharing, number>> = { shareable: 0, mayWait: 1, exclusive: 2 };

/** The sharing that does for both. */
export function wider(one: Sharing, other: Sharing): Sharing {
  return WIDTH[one] > WIDTH[other] ? one : other;
}
