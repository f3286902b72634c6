#!/bin/sh
# Apache as Debian ships it, serving one page that is the same in every guest. Its address can be set from outside
# (WIRT_LISTEN=192.0.2.7:8080), so that the same root also serves in a chroot on an address of the host.
set -eu

echo 'Listen ${WIRT_LISTEN}' > /etc/apache2/ports.conf
cat >> /etc/apache2/envvars <<'ENV'

# Where Apache listens: a port, or an address and a port.
export WIRT_LISTEN="${WIRT_LISTEN:-80}"
ENV
# Whatever it listens on, there is one site.
sed -i 's/<VirtualHost .*>/<VirtualHost *>/' /etc/apache2/sites-available/000-default.conf
echo 'ServerName localhost' > /etc/apache2/conf-available/wirt.conf
a2enconf -q wirt

# About 10 KB, the size of Debian's own first page.
{
    echo '<!DOCTYPE html>'
    echo '<html lang="en"><head><meta charset="utf-8"><title>It works</title></head><body>'
    echo '<h1>It works</h1>'
    line=1
    while [ "$line" -le 100 ]; do
        echo "<p>Line $line of a page that is the same in every guest, so that only the approach differs.</p>"
        line=$((line + 1))
    done
    echo '</body></html>'
} > /var/www/html/index.html
rm -f /var/log/apache2/*
