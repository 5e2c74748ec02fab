import { devNull } from 'node:os'

/**
 * Clears an environment of every AWS account, profile, region and file of the user's, for this process and those that it
 * starts: the demo talks to this machine only.
 */
export function clearAws(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env)) if (name.startsWith('AWS_')) delete env[name]
  env['AWS_CONFIG_FILE'] = devNull
  env['AWS_SHARED_CREDENTIALS_FILE'] = devNull
  env['AWS_EC2_METADATA_DISABLED'] = 'true'
}
