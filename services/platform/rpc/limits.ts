/** The largest message that a server takes or a client accepts, in bytes. Bulk data goes by URL, not by message. */
export const messageLimit = 4 * 1024 * 1024;
