/** Replaces the addon in tests of the project `pure`, which run without a build. */
throw new Error('a test that needs the addon belongs in test/host/ (jest.config.js)');
