/**
 * The narrow port to the log of events: append by key, read a partition in
 * order, say explicitly how far one has come. It knows nothing of protobuf,
 * databases or retries, so an adapter stays small.
 */
export interface EventBus extends AsyncDisposable {
  /**
   * Appends the records, however many bytes they are together; records of one
   * key keep their order. Resolves when every in-sync replica has all of them. On a rejection any of them may have
   * been appended: produce the same ones again, in the same order.
   *
   * @throws DomainError `invalid_argument` (NO_PARTITION_KEY) for an empty key.
   */
  produce(records: readonly OutgoingRecord[]): Promise<void>;
  /** Joins the group and reads until closed. Loss of the broker is retried for ever, with capped backoff. */
  consume(options: ConsumeOptions): Consumption;
  /** The topics there are. */
  listTopics(): Promise<readonly string[]>;
  /** How long the longest-kept of these topics keeps an event, as the broker has it; infinite where one keeps all. Creates those that are missing. */
  retentionMs(topics: readonly string[]): Promise<number>;
  /** Ends every consumption and flushes what is under way, within a bound. */
  close(): Promise<void>;
}

export interface OutgoingRecord {
  readonly topic: string;
  /** Records of one key keep their order. Never empty: a random partition loses the order. */
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export interface IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string | undefined;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface ConsumeOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** Partitions handled at the same time. One partition is never handled twice at once. Default 4. */
  readonly concurrency?: number;
  /**
   * How long after one fetch the next begins, unless there is more than one fetch takes. Default 10 ms: a lone record comes
   * at once, those that follow it together. A fetch costs as much for one record as for fifty.
   */
  readonly fetchEveryMs?: number;
  /** Called with the next records of one partition. A rejection delivers the records that are not marked again. */
  handle(batch: PartitionBatch): Promise<void>;
}

/** The next records of one partition, in order. Heartbeats go on while it is handled. */
export interface PartitionBatch extends TopicPartition {
  readonly records: readonly IncomingRecord[];
  /** Records in the partition behind the last one of this batch. */
  readonly remaining: bigint;
  /** Aborts when the partition is taken away or the consumption closes: finish the record in hand, then return. */
  readonly signal: AbortSignal;
  /** This record and all before it are done: they are not delivered again to this process. */
  markDone(record: IncomingRecord): void;
  /** Makes the marks durable, so that they hold for the next owner of the partition too. */
  commit(): Promise<void>;
  /**
   * The same, together with those of other partitions, within a second or when the consumption closes. A commit costs the
   * broker more than a record does; whoever recognises events that come again needs no more.
   */
  commitSoon(): void;
  /** None of the records was of concern to the group: while that is so its next fetch may wait, for 200 ms. */
  noConcern(): void;
  /** Stops delivery of this partition for that long; others go on. What is not marked comes again. */
  pauseFor(ms: number): void;
}

export interface Consumption extends AsyncDisposable {
  /** The partitions that the group gave to this member; empty while it is not joined. */
  assigned(): readonly TopicPartition[];
  close(): Promise<void>;
}
