import { join } from 'node:path'
import type { BuildOptions } from 'esbuild'

const ROOT = join(import.meta.dirname, '../..')
/** What is not ESM asks for it. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

export type FunctionName = 'payments' | 'orders' | 'settlement'

export const entryOf = (name: FunctionName): string => join(ROOT, 'functions', name, 'index.ts')

/** One bundle as `index.mjs`, of whatever is deployed or run here. The AWS SDK is Lambda's own. Not minified: a stack trace reads as the source does. */
export const bundling = (entry: string, folder: string) =>
  ({
    entryPoints: [entry],
    outfile: join(folder, 'index.mjs'),
    // Names of files in the bundle do not depend on where it is made, nor does its hash.
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    conditions: ['@alonce/source'],
    external: ['@aws-sdk/*'],
    banner: { js: REQUIRE },
    logLevel: 'error',
  }) satisfies BuildOptions
