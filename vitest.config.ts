import { defineConfig } from 'vitest/config'
import { plantMutant } from './test/mutants/mutant.ts'
import { standardDecorators } from './test/support/standard-decorators.ts'

export default defineConfig({
  plugins: [standardDecorators, ...plantMutant(process.env['ALONCE_MUTANT'])],
  resolve: { conditions: ['@alonce/source'] },
  ssr: { resolve: { conditions: ['@alonce/source'] } },
  test: {
    // A module that was cached without the mutant, or with another one, would let it live.
    fsModuleCache: !process.env['ALONCE_MUTANT'],
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    globalSetup: ['test/support/dynamodb-setup.ts'],
  },
})
