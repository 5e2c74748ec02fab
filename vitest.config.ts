import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['@alonce/source'] },
  ssr: { resolve: { conditions: ['@alonce/source'] } },
  test: { include: ['test/**/*.test.ts'], testTimeout: 30_000 },
})
