/** The largest message that a gateway of Multigres sends and takes: 16 MiB. */
export const MAX_MESSAGE_BYTES = 16_777_216;
