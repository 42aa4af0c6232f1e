import { installGrpcurl } from "../components/grpcurl.ts";
import { ComponentUnavailable } from "../component.ts";

// The path alone goes to stdout: "$(node deploy/local/demo/install-grpcurl.ts)" is a command.
try {
  console.log(await installGrpcurl({ onProgress: console.error }));
} catch (error) {
  if (!(error instanceof ComponentUnavailable)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
