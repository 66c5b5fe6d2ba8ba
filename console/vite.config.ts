// Builds the console into console/dist: hashed files under /console/, nothing inlined (the server's content security
// policy allows neither inline scripts nor data: fonts).
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  base: '/console/',
  plugins: [react()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: 'es2023', sourcemap: false, chunkSizeWarningLimit: 700 },
  server: { proxy: { '/admin': 'http://127.0.0.1:4100', '/sql': 'http://127.0.0.1:4100' } },
})
