"""OpenSSL 3's functions as we use them, in C. ``libssl`` reads this; a test compiles it against
OpenSSL's own headers, so that no type here is only believed to be right.
"""

from typing import Final

TYPES: Final = """
typedef struct ssl_st SSL; typedef struct ssl_ctx_st SSL_CTX; typedef struct bio_st BIO;
typedef struct ssl_method_st SSL_METHOD; typedef struct bio_method_st BIO_METHOD;
typedef struct ssl_cipher_st SSL_CIPHER; typedef struct ssl_session_st SSL_SESSION;
typedef struct ssl_conf_ctx_st SSL_CONF_CTX;
typedef struct x509_st X509; typedef struct X509_crl_st X509_CRL;
typedef struct X509_name_st X509_NAME;
typedef struct X509_extension_st X509_EXTENSION; typedef struct X509_pubkey_st X509_PUBKEY;
typedef struct x509_store_st X509_STORE; typedef struct x509_store_ctx_st X509_STORE_CTX;
typedef struct X509_VERIFY_PARAM_st X509_VERIFY_PARAM;
typedef struct asn1_string_st ASN1_INTEGER; typedef struct asn1_string_st ASN1_TIME;
typedef struct evp_pkey_st EVP_PKEY; typedef struct evp_md_st EVP_MD;
typedef struct evp_cipher_st EVP_CIPHER; typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;
typedef struct evp_mac_ctx_st EVP_MAC_CTX; typedef struct engine_st ENGINE;
typedef struct ossl_lib_ctx_st OSSL_LIB_CTX;
typedef struct { const char *key; unsigned int data_type; void *data; size_t data_size;
                 size_t return_size; } OSSL_PARAM;
typedef int pem_password_cb(char *, int, int, void *);
"""

LIBCRYPTO: Final = """
unsigned long OpenSSL_version_num(void);
const char *OpenSSL_version(int);
unsigned long ERR_get_error_all(const char **, int *, const char **, const char **, int *);
unsigned long ERR_peek_last_error(void);
void ERR_clear_error(void);
void ERR_error_string_n(unsigned long, char *, size_t);
const char *ERR_reason_error_string(unsigned long);

const BIO_METHOD *BIO_s_mem(void);
BIO *BIO_new(const BIO_METHOD *);
BIO *BIO_new_mem_buf(const void *, int);
int BIO_free(BIO *);
int BIO_up_ref(BIO *);
int BIO_read(BIO *, void *, int);
int BIO_write(BIO *, const void *, int);
long BIO_ctrl(BIO *, int, long, void *);
size_t BIO_ctrl_pending(BIO *);

X509 *PEM_read_bio_X509(BIO *, X509 **, pem_password_cb *, void *);
X509 *PEM_read_bio_X509_AUX(BIO *, X509 **, pem_password_cb *, void *);
X509_CRL *PEM_read_bio_X509_CRL(BIO *, X509_CRL **, pem_password_cb *, void *);
EVP_PKEY *PEM_read_bio_PrivateKey(BIO *, EVP_PKEY **, pem_password_cb *, void *);
EVP_PKEY *PEM_read_bio_Parameters(BIO *, EVP_PKEY **);
int PEM_write_bio_X509(BIO *, const X509 *);
void EVP_PKEY_free(EVP_PKEY *);

void X509_free(X509 *);
int X509_check_private_key(const X509 *, const EVP_PKEY *);
void X509_CRL_free(X509_CRL *);
int i2d_X509(const X509 *, unsigned char **);
X509_NAME *X509_get_subject_name(const X509 *);
X509_NAME *X509_get_issuer_name(const X509 *);
int X509_NAME_print_ex(BIO *, const X509_NAME *, int, unsigned long);
ASN1_INTEGER *X509_get_serialNumber(X509 *);
int i2a_ASN1_INTEGER(BIO *, const ASN1_INTEGER *);
const ASN1_TIME *X509_get0_notBefore(const X509 *);
const ASN1_TIME *X509_get0_notAfter(const X509 *);
int ASN1_TIME_print(BIO *, const ASN1_TIME *);
int X509_digest(const X509 *, const EVP_MD *, unsigned char *, unsigned int *);
X509_PUBKEY *X509_get_X509_PUBKEY(const X509 *);
int i2d_X509_PUBKEY(const X509_PUBKEY *, unsigned char **);
int X509_get_ext_by_NID(const X509 *, int, int);
X509_EXTENSION *X509_get_ext(const X509 *, int);
int X509V3_EXT_print(BIO *, X509_EXTENSION *, unsigned long, int);
const char *X509_verify_cert_error_string(long);
X509_STORE *X509_STORE_new(void);
void X509_STORE_free(X509_STORE *);
int X509_STORE_set_default_paths(X509_STORE *);
int X509_STORE_add_cert(X509_STORE *, X509 *);
int X509_STORE_add_crl(X509_STORE *, X509_CRL *);
int X509_STORE_set_flags(X509_STORE *, unsigned long);
int X509_STORE_CTX_get_error(const X509_STORE_CTX *);
void X509_STORE_CTX_set_error(X509_STORE_CTX *, int);
X509 *X509_STORE_CTX_get_current_cert(const X509_STORE_CTX *);
X509 *X509_STORE_CTX_get0_cert(const X509_STORE_CTX *);
int X509_VERIFY_PARAM_set1_ip_asc(X509_VERIFY_PARAM *, const char *);

const EVP_MD *EVP_sha1(void);
EVP_CIPHER *EVP_CIPHER_fetch(OSSL_LIB_CTX *, const char *, const char *);
int EVP_EncryptInit_ex(EVP_CIPHER_CTX *, const EVP_CIPHER *, ENGINE *, const unsigned char *,
                       const unsigned char *);
int EVP_DecryptInit_ex(EVP_CIPHER_CTX *, const EVP_CIPHER *, ENGINE *, const unsigned char *,
                       const unsigned char *);
int EVP_MAC_CTX_set_params(EVP_MAC_CTX *, const OSSL_PARAM *);
"""

LIBSSL: Final = """
const SSL_METHOD *TLS_server_method(void);
const SSL_METHOD *TLS_client_method(void);
SSL_CTX *SSL_CTX_new(const SSL_METHOD *);
void SSL_CTX_free(SSL_CTX *);
long SSL_CTX_ctrl(SSL_CTX *, int, long, void *);
uint64_t SSL_CTX_set_options(SSL_CTX *, uint64_t);
int SSL_CTX_set_cipher_list(SSL_CTX *, const char *);
int SSL_CTX_use_certificate(SSL_CTX *, X509 *);
int SSL_CTX_use_PrivateKey(SSL_CTX *, EVP_PKEY *);
int SSL_CTX_set0_tmp_dh_pkey(SSL_CTX *, EVP_PKEY *);
void SSL_CTX_set_verify(SSL_CTX *, int, int (*)(int, X509_STORE_CTX *));
void SSL_CTX_set_verify_depth(SSL_CTX *, int);
X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *);
int SSL_CTX_add_client_CA(SSL_CTX *, X509 *);
void SSL_CTX_set1_cert_store(SSL_CTX *, X509_STORE *);
int SSL_CTX_set_session_id_context(SSL_CTX *, const unsigned char *, unsigned int);
long SSL_CTX_set_timeout(SSL_CTX *, long);
int SSL_CTX_set_num_tickets(SSL_CTX *, size_t);
int SSL_CTX_remove_session(SSL_CTX *, SSL_SESSION *);
void SSL_CTX_sess_set_new_cb(SSL_CTX *, int (*)(SSL *, SSL_SESSION *));
void SSL_CTX_sess_set_get_cb(SSL_CTX *, SSL_SESSION *(*)(SSL *, const unsigned char *, int, int *));
void SSL_CTX_sess_set_remove_cb(SSL_CTX *, void (*)(SSL_CTX *, SSL_SESSION *));
int SSL_CTX_set_tlsext_ticket_key_evp_cb(SSL_CTX *, int (*)(SSL *, unsigned char *,
    unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int));
void SSL_CTX_set_alpn_select_cb(SSL_CTX *, int (*)(SSL *, const unsigned char **, unsigned char *,
    const unsigned char *, unsigned int, void *), void *);
SSL_CONF_CTX *SSL_CONF_CTX_new(void);
void SSL_CONF_CTX_free(SSL_CONF_CTX *);
unsigned int SSL_CONF_CTX_set_flags(SSL_CONF_CTX *, unsigned int);
void SSL_CONF_CTX_set_ssl_ctx(SSL_CONF_CTX *, SSL_CTX *);
int SSL_CONF_cmd(SSL_CONF_CTX *, const char *, const char *);
int SSL_CONF_CTX_finish(SSL_CONF_CTX *);

SSL *SSL_new(SSL_CTX *);
void SSL_free(SSL *);
void SSL_set_bio(SSL *, BIO *, BIO *);
void SSL_set_accept_state(SSL *);
void SSL_set_connect_state(SSL *);
int SSL_do_handshake(SSL *);
int SSL_read(SSL *, void *, int);
int SSL_write(SSL *, const void *, int);
int SSL_get_error(const SSL *, int);
int SSL_shutdown(SSL *);
void SSL_set_shutdown(SSL *, int);
long SSL_ctrl(SSL *, int, long, void *);
int SSL_version(const SSL *);
uint64_t SSL_get_options(const SSL *);
const char *SSL_get_version(const SSL *);
const SSL_CIPHER *SSL_get_current_cipher(const SSL *);
const char *SSL_CIPHER_get_name(const SSL_CIPHER *);
void SSL_get0_alpn_selected(const SSL *, const unsigned char **, unsigned int *);
int SSL_session_reused(const SSL *);
X509 *SSL_get1_peer_certificate(const SSL *);
long SSL_get_verify_result(const SSL *);
int SSL_set1_host(SSL *, const char *);
void SSL_set_hostflags(SSL *, unsigned int);
X509_VERIFY_PARAM *SSL_get0_param(SSL *);
int SSL_set_session(SSL *, SSL_SESSION *);
SSL_SESSION *SSL_get_session(const SSL *);
void SSL_SESSION_free(SSL_SESSION *);
SSL_SESSION *SSL_SESSION_dup(const SSL_SESSION *);
const unsigned char *SSL_SESSION_get_id(const SSL_SESSION *, unsigned int *);
int i2d_SSL_SESSION(const SSL_SESSION *, unsigned char **);
SSL_SESSION *d2i_SSL_SESSION(SSL_SESSION **, const unsigned char **, long);
"""

ALL: Final = TYPES + LIBCRYPTO + LIBSSL
