/** Stands for the addon in tests of the project `pure`, which run where nothing was built. */
throw new Error('a test that needs the addon belongs in test/host/ (jest.config.js)');
