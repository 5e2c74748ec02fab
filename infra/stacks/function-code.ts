import { join } from 'node:path'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { AssetHashType, DockerImage } from 'aws-cdk-lib/core'
import { type BuildOptions, buildSync } from 'esbuild'

const ROOT = join(import.meta.dirname, '../..')
const FUNCTIONS = join(ROOT, 'functions')
/** What is not ESM asks for it. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

export type FunctionName = 'payments' | 'orders' | 'settlement'

/** The AWS SDK is Lambda's own. Not minified: a stack trace reads as the source does. */
export const bundling = (name: FunctionName, folder: string): BuildOptions => ({
  entryPoints: [join(FUNCTIONS, name, 'index.ts')],
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
})

/** A function of ours, bundled here and now by esbuild: no Docker, no network. */
export const functionCode = (name: FunctionName): Code =>
  Code.fromAsset(join(FUNCTIONS, name), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // CDK wants one, for where bundling on the machine itself fails. It never does without throwing.
      image: DockerImage.fromRegistry('none'),
      local: {
        tryBundle(folder) {
          buildSync(bundling(name, folder))
          return true
        },
      },
    },
  })
