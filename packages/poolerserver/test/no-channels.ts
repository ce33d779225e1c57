import type { ChannelSource } from "../src/session/notifications/session-channels.ts";

/** A pooler that does not listen: sessions listen on backends of their own. */
export const noChannels: ChannelSource = {
  maxNotificationBytes: 1000,
  subscribe: () => {
    throw new Error("nobody listens here");
  },
};
