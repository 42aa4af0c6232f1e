// The library's dependency injection wants this polyfill before it is loaded.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import {
  createPrivateKey,
  randomBytes,
  X509Certificate,
  type webcrypto,
} from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  filesOf,
  lasts,
  readPair,
  writePair,
  type CertificateFiles,
} from "./certificate-files.ts";

const DAY_MS = 24 * 3_600_000;
const AUTHORITY_DAYS = 3_650;
const LEAF_DAYS = 90;
const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;

export interface Certificates {
  /** The local authority that signed all others. */
  readonly ca: string;
  /** Client and server in one, by service name; URI SAN `spiffe://weft/<service>`. */
  readonly services: Readonly<Record<string, CertificateFiles>>;
  /** The edge as a client of the services: `spiffe://weft/edge`. */
  readonly edgeMesh: CertificateFiles;
  /** What the edge shows to the world: localhost and 127.0.0.1, and `edge` between containers. */
  readonly edgePublic: CertificateFiles;
  /** The development issuer as a server. */
  readonly issuer: CertificateFiles;
}

export interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly keys: { readonly privateKey: CryptoKey };
}

interface Subject {
  readonly name: string;
  readonly names: readonly x509.JsonGeneralName[];
}

/**
 * Makes the certificates of a mesh in `folder`, or keeps those that are valid
 * for another week. Files hold PEM; keys have mode 0600.
 */
export async function ensureCertificates(
  folder: string,
  services: readonly string[],
  now: Date = new Date(),
): Promise<Certificates> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const authority = await ensureAuthority(folder, now);
  const issue = (name: string) => ensureLeaf(folder, authority, name, now);
  const issued = await Promise.all(
    services.map(async (name) => [name, await issue(name)] as const),
  );
  return {
    ca: join(folder, "ca.pem"),
    services: Object.fromEntries(issued),
    edgeMesh: await issue("edge"),
    edgePublic: await issue("edge-public"),
    issuer: await issue("issuer"),
  };
}

const LOCAL_NAMES: readonly x509.JsonGeneralName[] = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
];

/** Servers of clients from outside, with their names between containers. They are no part of the mesh and have no identity in it. */
const OUTSIDE: ReadonlyMap<string, string> = new Map([
  ["edge-public", "edge"],
  ["issuer", "issuer"],
]);

function subjectOf(name: string): Subject {
  const host = OUTSIDE.get(name);
  if (host !== undefined) {
    return { name, names: [...LOCAL_NAMES, { type: "dns", value: host }] };
  }
  return {
    name,
    names: [
      ...LOCAL_NAMES,
      { type: "dns", value: name },
      { type: "url", value: `spiffe://weft/${name}` },
    ],
  };
}

/** The authority that signs now: the first of its file, which may hold one that is coming or going besides. */
export async function ensureAuthority(
  folder: string,
  now: Date,
): Promise<Authority> {
  const files = filesOf(folder, "ca");
  const kept = await readPair(files);
  if (kept && lasts(kept.certificate, now)) {
    return authorityOf(kept.certificate, kept.key);
  }
  const { certificate, keys } = await createAuthority(now);
  await writePair(files, certificate, keys.privateKey);
  return { certificate, keys };
}

/** The authority of a certificate and its key as PEM. */
export async function authorityOf(
  certificate: X509Certificate,
  key: string,
): Promise<Authority> {
  const privateKey = await crypto.subtle.importKey(
    "pkcs8",
    createPrivateKey(key).export({ type: "pkcs8", format: "der" }),
    CURVE,
    false,
    ["sign"],
  );
  return {
    certificate: new x509.X509Certificate(certificate.raw),
    keys: { privateKey },
  };
}

export async function createAuthority(now: Date): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    // The random part tells a renewed authority from the one it replaces.
    name: `CN=weft local authority ${randomBytes(4).toString("hex")}`,
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: SIGNATURE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, keys };
}

async function ensureLeaf(
  folder: string,
  authority: Authority,
  name: string,
  now: Date,
): Promise<CertificateFiles> {
  const files = filesOf(folder, name);
  const kept = await readPair(files);
  const issuer = new X509Certificate(
    Buffer.from(authority.certificate.rawData),
  );
  if (
    kept &&
    lasts(kept.certificate, now) &&
    kept.certificate.verify(issuer.publicKey)
  ) {
    return files;
  }
  await issueLeaf(folder, authority, name, now);
  return files;
}

/** Makes a certificate anew, in place of the one that may be there. */
export async function issueLeaf(
  folder: string,
  authority: Authority,
  name: string,
  now: Date,
): Promise<void> {
  const subject = subjectOf(name);
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${subject.name}`,
    issuer: authority.certificate.subject,
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + LEAF_DAYS * DAY_MS),
    signingAlgorithm: SIGNATURE,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([...subject.names]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writePair(filesOf(folder, name), certificate, keys.privateKey);
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
}

/** Positive and 16 bytes (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString("hex");
}
