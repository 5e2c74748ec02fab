import { dirname } from 'node:path'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { AssetHashType, DockerImage } from 'aws-cdk-lib/core'
import { buildSync } from 'esbuild'
import { bundling, entryOf, type FunctionName } from './bundling.ts'

/** A function of ours, bundled here and now by esbuild: no Docker, no network. */
export const functionCode = (name: FunctionName): Code =>
  Code.fromAsset(dirname(entryOf(name)), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // CDK wants one, for where bundling on the machine itself fails. It never does without throwing.
      image: DockerImage.fromRegistry('none'),
      local: {
        tryBundle(folder) {
          buildSync(bundling(entryOf(name), folder))
          return true
        },
      },
    },
  })
