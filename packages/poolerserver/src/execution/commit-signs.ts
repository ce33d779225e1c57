/** Type, length and "COMMIT" with its end. */
const COMMIT_BYTES = 12;
const COMMIT_WORD = Buffer.from("COMMIT\0");
const WORD_START = 5;
/** The field of a notice that names the routine: unlike the text it is in no language. */
const WAIT_ROUTINE = Buffer.from("\0RSyncRepWaitForLSN\0");

/** Whether a CommandComplete message is that of a COMMIT. */
export function isCommit(complete: Uint8Array): boolean {
  return (
    complete.length === COMMIT_BYTES &&
    complete[WORD_START + 2] === COMMIT_WORD[2] &&
    COMMIT_WORD.equals(complete.subarray(WORD_START))
  );
}

/**
 * Whether a NoticeResponse says that a commit gave up to wait for its standbys: because it was
 * cancelled or its process ended. PostgreSQL goes on as if the commit had succeeded.
 *
 * @see https://www.postgresql.org/docs/17/warm-standby.html#SYNCHRONOUS-REPLICATION
 */
export function tellsOfUnconfirmedCommit(notice: Uint8Array): boolean {
  return Buffer.from(notice.buffer, notice.byteOffset, notice.byteLength).includes(WAIT_ROUTINE);
}
