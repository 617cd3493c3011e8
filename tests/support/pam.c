/* Stands before libpam in a test's sshd, so that its own code for passwords and keyboard-interactive runs without an account
   of this machine: every user has the password in TEST_PASSWORD. TEST_PAM says what is asked: "" a password, "twice" a code
   after it, "ever" the same question again and again. */
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, AUTH_ERR = 7, CONV = 5, ECHO_OFF = 1 };

struct message { int style; const char *text; };
struct response { char *text; int code; };
struct conversation { int (*ask)(int, const struct message **, struct response **, void *); void *with; };

extern int pam_get_item(const void *handle, int item, const void **value);

static int right(const void *handle, const char *question, const char *expected)
{
    const struct conversation *c = NULL;
    struct message message = { ECHO_OFF, question };
    const struct message *messages = &message;
    struct response *response = NULL;
    if (pam_get_item(handle, CONV, (const void **)&c) != SUCCESS || c == NULL) return 0;
    if (c->ask(1, &messages, &response, c->with) != SUCCESS || response == NULL) return 0;
    int is = response->text != NULL && strcmp(response->text, expected) == 0;
    free(response->text);
    free(response);
    return is;
}

/* Kept from the start: sshd clears the environment of the process that asks. */
static const char *password, *how;

__attribute__((constructor)) static void keep(void)
{
    const char *p = getenv("TEST_PASSWORD"), *h = getenv("TEST_PAM");
    password = p ? strdup(p) : NULL;
    how = h ? strdup(h) : NULL;
}

int pam_authenticate(void *handle, int flags)
{
    (void)handle;
    (void)flags;
    if (password == NULL || how == NULL) return AUTH_ERR;
    if (strcmp(how, "ever") == 0)
        for (int i = 0; i < 1000; i++) right(handle, "Password: ", password);
    if (!right(handle, "Password: ", password)) return AUTH_ERR;
    if (strcmp(how, "twice") == 0 && !right(handle, "Code: ", "123456")) return AUTH_ERR;
    return SUCCESS;
}

int pam_acct_mgmt(void *handle, int flags) { (void)handle; (void)flags; return SUCCESS; }
int pam_setcred(void *handle, int flags) { (void)handle; (void)flags; return SUCCESS; }
int pam_open_session(void *handle, int flags) { (void)handle; (void)flags; return SUCCESS; }
int pam_close_session(void *handle, int flags) { (void)handle; (void)flags; return SUCCESS; }
