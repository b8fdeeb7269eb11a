// Starts Swagger UI on the page of the documentation. What it must know of the app stands on the page's element.
"use strict";

(() => {
    const element = document.getElementById("swagger-ui");
    const app = element.dataset;
    const SAFE = ["GET", "HEAD", "OPTIONS", "TRACE"];

    const cookie = (name) => {
        const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
        return found && found.slice(name.length + 1);
    };

    // Cookies come by themselves; the value that must be repeated beside them does not.
    const csrf = (url) => {
        const access = cookie(app.accessCsrf);
        const refresh = cookie(app.refreshCsrf);
        return url.pathname === app.refresh ? refresh : access || refresh;
    };

    const requestInterceptor = (request) => {
        const url = new URL(request.url, location.href);
        const headers = request.headers || (request.headers = {});
        const method = (request.method || "GET").toUpperCase();
        if (app.csrfHeader && url.origin === location.origin && !SAFE.includes(method)) {
            const named = Object.keys(headers).map((name) => name.toLowerCase());
            const value = csrf(url);
            if (value && !named.includes("authorization") && !named.includes(app.csrfHeader.toLowerCase())) {
                headers[app.csrfHeader] = value;
            }
        }
        return request;
    };

    // Swagger UI would only forget a token. The session that it was given for here ends with it.
    const endSessions = () => ({
        statePlugins: {
            auth: {
                wrapActions: {
                    logout: (forget, system) => (names) => {
                        const authorized = system.authSelectors.authorized();
                        for (const name of names) {
                            const token = authorized && authorized.getIn([name, "token", "access_token"]);
                            if (token && app.logout) {
                                const headers = { Authorization: `Bearer ${token}` };
                                fetch(app.logout, { method: "POST", headers, credentials: "omit" }).catch(() => {});
                            }
                        }
                        return forget(names);
                    },
                },
            },
        },
    });

    SwaggerUIBundle({
        domNode: element,
        url: "openapi.json",
        deepLinking: true,
        displayRequestDuration: true,
        persistAuthorization: false,
        plugins: [endSessions],
        requestInterceptor,
        showExtensions: true,
        tryItOutEnabled: true,
        validatorUrl: null,
    });
})();
